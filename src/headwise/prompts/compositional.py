"""The prompts of compositional chain of thought: write what is in the image, then answer with it.

Source: Compositional Chain-of-Thought (arXiv:2311.17076), in our own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from headwise.content import with_images
from headwise.errors import InputError
from headwise.examples import Example
from headwise.prompts.answer_format import Question
from headwise.prompts.conversation import Conversation

Aid = Literal["graph", "words", "caption"]
"""What the first call writes: a scene graph as JSON, the same in plain words, or a caption."""

AIDS: tuple[Aid, ...] = get_args(Aid)

# The form of `headwise.scenes.graph_json`, with `name` for what its drawn objects have a shape for.
GRAPH_FORM = (
    '{"objects":[{"id":"a","name":"...","color":"...","size":"..."},'
    '{"id":"b","name":"...","color":"...","size":"..."}],'
    '"relations":[["a","...","b"]]}'
)
"""What a graph is to look like, for models that are to be told; others are read as well."""

# The first wordings of those that the embedded vision model is trained on.
FIRST_WITH_QUESTION: Mapping[Aid, str] = MappingProxyType(
    {
        "graph": (
            "Before answering, write a scene graph of the image as JSON with the objects, their "
            "attributes and the relations between them."
        ),
        "words": (
            "Before answering, list the objects in the image, their attributes and the relations "
            "between them."
        ),
        "caption": "Before answering, describe the image in detail.",
    }
)
FIRST_ALONE: Mapping[Aid, str] = MappingProxyType(
    {
        "graph": (
            "Give a scene graph in JSON with the objects, their attributes and their relations."
        ),
        "words": "List the objects in the image, their attributes and the relations between them.",
        "caption": "Describe the image in detail.",
    }
)
AID_NAMES: Mapping[Aid, str] = MappingProxyType(
    {"graph": "Scene graph", "words": "Description", "caption": "Caption"}
)


@dataclass(frozen=True, slots=True)
class CompositionalPrompt:
    """How both calls are put.

    Call 1: the image, `Question: ...`, what to write and, if wanted, its form. Call 2: the image,
    `Scene graph: ...`, the question with its options, and how to answer. Each is one turn of the
    user: nothing but the aid goes from one call to the other.

    Args:
        aid: What the first call writes. Published: `"graph"`; the others are its ablations.
        with_question: Whether the first call sees the question. Published: yes.
        form: What a graph is to look like, such as `GRAPH_FORM`; empty, as published, says no more
            than that it is JSON.

    Raises:
        InputError: The aid is unknown, or no graph is wanted but its form is given.
    """

    aid: Aid = "graph"
    with_question: bool = True
    form: str = ""

    def __post_init__(self) -> None:
        if self.aid not in AIDS:
            raise InputError(f"The aid is one of {AIDS}; got {self.aid!r}.")
        if self.form and self.aid != "graph":
            raise InputError(f"A form is for aid 'graph'; leave it out for {self.aid!r}.")

    def first(self, example: Example, question: Question) -> Conversation:
        """The call that writes what is in the image.

        Args:
            example: Whose images are shown.
            question: What will be asked.

        Returns:
            The conversation.
        """
        lines = [f"Question: {question.asked}"] if self.with_question else []
        lines.append((FIRST_WITH_QUESTION if self.with_question else FIRST_ALONE)[self.aid])
        if self.form:
            lines.append(f"Write only JSON, in this form: {self.form}")
        return Conversation.user(with_images(example.images, "\n".join(lines)))

    def second(self, example: Example, question: Question, written: str) -> Conversation:
        """The call that answers.

        Args:
            example: Whose images are shown.
            question: What is asked.
            written: What the first call wrote.

        Returns:
            The conversation.
        """
        name = AID_NAMES[self.aid]
        text = (
            f"{name}: {written}\nUse the image and the {name.lower()} to answer the question.\n"
            f"Question: {question.full}"
        )
        return Conversation.user(with_images(example.images, text))
