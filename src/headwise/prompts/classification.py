"""Classification prompts: an example as the question a user would ask, without its label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from headwise.content import Content, Part, joined
from headwise.errors import InputError
from headwise.examples import Example
from headwise.prompts.conversation import Conversation
from headwise.prompts.template import IMAGE_PLACES, fill, fill_content, places

# Stands for every text and picture, so it should begin as none does.
_UNLIKELY = "\N{REFERENCE MARK}"


@dataclass(frozen=True, slots=True)
class ClassificationPrompt:
    """How an example is put to the model.

    Args:
        instruction: The user's turn; `{text}` is the example's text, `{image}` (or `{images}`, or
            `{video}`) its pictures, and every other `{column}` one of its fields. Without an
            `{image}` the pictures stand before everything else. It needs no place at all where
            every example has pictures.
        system: A system turn before it.

    Raises:
        InputError: The instruction is empty.
    """

    instruction: str = "{text}"
    system: str | None = None

    def __post_init__(self) -> None:
        if not self.instruction.strip():
            raise InputError(
                "The instruction is empty, so it has no place for the example; put {text} where "
                "its text goes."
            )

    def conversation(self, example: Example) -> Conversation:
        """The conversation of one example.

        Raises:
            InputError: The instruction asks for a column that the example lacks, or has no place
                for it.
        """
        if not places(self.instruction) and not example.images:
            raise InputError(
                f"The instruction {self.instruction!r} has no place for the example "
                f"{example.shown}; put {{text}} where its text goes."
            )
        texts = {**example.fields, "text": example.text}
        asked = self._filled(texts, example.images)
        # What all examples begin with holds no picture, for each has its own.
        unlike = (_UNLIKELY,) if example.images else ()
        like = self._filled(dict.fromkeys(texts, _UNLIKELY), unlike)
        return replace(
            Conversation.user(asked, system=self.system),
            like=Conversation.user(like, system=self.system),
        )

    def _filled(self, texts: Mapping[str, str], pictures: tuple[Part, ...]) -> Content:
        """The instruction with texts and pictures in their places."""
        if not pictures:
            return fill(self.instruction, texts)
        wanted = [name for name in places(self.instruction) if name in IMAGE_PLACES]
        ours = [name for name in wanted if name not in texts]
        filled = fill_content(self.instruction, {**texts, **dict.fromkeys(ours, pictures)})
        return filled if ours else joined(pictures, filled)
