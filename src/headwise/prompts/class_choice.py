"""Asks which class an example is of, and names the classes; alone or after worked examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headwise.content import joined
from headwise.errors import InputError
from headwise.examples import Example
from headwise.prompts.classification import ClassificationPrompt
from headwise.prompts.conversation import Conversation, Message


@dataclass(frozen=True, slots=True)
class ClassChoicePrompt:
    """How the model is asked for the class of an example, in chat turns.

    Args:
        classes: The classes.
        instruction: The user's turn; see `ClassificationPrompt`. A line that names the classes
            follows it.
        system: A system turn before it.

    Raises:
        InputError: There are fewer than two classes, one is empty or there twice, or the
            instruction is empty.
    """

    classes: tuple[str, ...]
    instruction: str = "{text}"
    system: str | None = None

    def __post_init__(self) -> None:
        ClassificationPrompt(self.instruction, self.system)
        if len(set(self.classes)) < max(2, len(self.classes)) or not all(
            name.strip() for name in self.classes
        ):
            raise InputError(
                "A choice needs two different classes at least, none of them empty or named "
                f"twice; got {list(self.classes)}."
            )

    @property
    def request(self) -> str:
        """The line that names the classes."""
        return f"Answer with one of these and nothing else: {', '.join(self.classes)}."

    def query(self, example: Example) -> Conversation:
        """The question alone (zero-shot); the label is not in it.

        Raises:
            InputError: The instruction asks for a column that the example lacks, or has no place
                for it.
        """
        plain = ClassificationPrompt(self.instruction, self.system).conversation(example)
        *before, asked = plain.messages
        whole = Message("user", joined(asked.content, f"\n\n{self.request}"))
        return replace(plain, messages=(*before, whole))

    def with_shots(self, shots: Sequence[Example], example: Example) -> Conversation:
        """The question after worked examples, each a turn of the user and one of the assistant.

        Args:
            shots: Examples with labels, in the order they are shown.
            example: What is asked.

        Returns:
            The conversation.

        Raises:
            InputError: A shot has no label; or see `query`.
        """
        query = self.query(example)
        if not shots:
            return query
        *before, asked = query.messages
        turns: list[Message] = []
        for shot in shots:
            if shot.label is None:
                raise InputError(f"The worked example {shot.shown} has no label; give its class.")
            turns += [self.query(shot).messages[-1], Message("assistant", shot.label)]
        return Conversation((*before, *turns, asked))
