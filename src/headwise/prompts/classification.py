"""Classification prompts: an example as the question a user would ask, without its label."""

from __future__ import annotations

from dataclasses import dataclass, replace

from headwise.errors import InputError
from headwise.examples import Example
from headwise.prompts.conversation import Conversation
from headwise.prompts.template import fill, places

# Stands for every text, so it should begin as none does.
_UNLIKELY = "\N{REFERENCE MARK}"


@dataclass(frozen=True, slots=True)
class ClassificationPrompt:
    """How an example is put to the model.

    Args:
        instruction: The user's turn; `{text}` is the example's text and every other `{column}` one
            of its fields.
        system: A system turn before it.

    Raises:
        InputError: The instruction has no place for the example.
    """

    instruction: str = "{text}"
    system: str | None = None

    def __post_init__(self) -> None:
        if not places(self.instruction):
            raise InputError(
                f"The instruction {self.instruction!r} has no place for the example; put {{text}} "
                "where its text goes."
            )

    def conversation(self, example: Example) -> Conversation:
        """The conversation of one example.

        Raises:
            InputError: The instruction asks for a column that the example lacks.
        """
        values = {**example.fields, "text": example.text}
        like = Conversation.user(
            fill(self.instruction, dict.fromkeys(values, _UNLIKELY)), system=self.system
        )
        asked = Conversation.user(fill(self.instruction, values), system=self.system)
        return replace(asked, like=like)
