"""In-context prompts: worked examples of a task, and the input that is to be answered like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from headwise.content import Content, Part, as_content, joined, parts_of, with_images
from headwise.errors import InputError
from headwise.examples import Example
from headwise.prompts.conversation import Conversation, Message

Style = Literal["completion", "chat"]

_BETWEEN_SHOTS = "\n\n"


@dataclass(frozen=True, slots=True)
class InContextPrompt:
    r"""How the examples of a task are put to the model.

    The completion style is plain text, `Q: x1\nA: y1\n\nQ: x2\nA:`, with the instruction before it.
    The chat style is a user's turn for each input and an assistant's turn for each target, after a
    system turn with the instruction. In both styles the pictures of an example stand before its own
    text, where its input begins.

    Args:
        style: `"completion"` or `"chat"`.
        input_prefix: What an input follows; completion style only.
        target_prefix: What a target follows, on a line of its own; completion style only.
        instruction: What the task is, in words; None lets the examples speak.

    Raises:
        InputError: The style is unknown, or the instruction empty.
    """

    style: Style = "completion"
    input_prefix: str = "Q: "
    target_prefix: str = "A:"
    instruction: str | None = None

    def __post_init__(self) -> None:
        if self.style not in get_args(Style):
            raise InputError(f"style is 'completion' or 'chat'; got {self.style!r}.")
        if self.instruction is not None and not self.instruction.strip():
            raise InputError("The instruction is empty; leave it out, or say what the task is.")

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings at which an answer has ended, because the next example would begin."""
        return (_BETWEEN_SHOTS,) if self.style == "completion" else ()

    def query(self, example: Example) -> Conversation:
        """The input alone, with no worked example (zero-shot); its label is not in it."""
        return self.with_shots((), example)

    def with_shots(self, shots: Sequence[Example], example: Example) -> Conversation:
        """The input after worked examples.

        Args:
            shots: Examples with labels, in the order they are shown.
            example: What is asked; its label is not in the prompt.

        Returns:
            The conversation, which ends where the target is to follow.

        Raises:
            InputError: A shot has no label.
        """
        answers = [_label_of(shot) for shot in shots]
        if self.style == "chat":
            return self._chat(shots, answers, example)
        blocks: list[Content] = [] if self.instruction is None else [self.instruction]
        for shot, answer in zip(shots, answers, strict=True):
            blocks.append(joined(self._open(shot), self.target(answer)))
        blocks.append(self._open(example))
        parts: list[Part] = list(parts_of(blocks[0]))
        for block in blocks[1:]:
            parts += [_BETWEEN_SHOTS, *parts_of(block)]
        return Conversation.completion(as_content(parts))

    def target(self, text: str) -> str:
        """The continuation that says a target: after a space in plain text, as it is in a chat.

        No space is added where the target prefix ends in one, or in a line break.
        """
        if self.style == "chat" or not self.target_prefix or self.target_prefix[-1].isspace():
            return text
        return f" {text}"

    def _open(self, example: Example) -> Content:
        rest = f"{example.text}\n{self.target_prefix}"
        return as_content([self.input_prefix, *example.images, rest])

    def _chat(
        self, shots: Sequence[Example], answers: Sequence[str], example: Example
    ) -> Conversation:
        turns = [] if self.instruction is None else [Message("system", self.instruction)]
        for shot, answer in zip(shots, answers, strict=True):
            turns += [_asked(shot), Message("assistant", answer)]
        return Conversation((*turns, _asked(example)))


def _asked(example: Example) -> Message:
    return Message("user", with_images(example.images, example.text))


def _label_of(shot: Example) -> str:
    if shot.label is None:
        raise InputError(
            f"The worked example {shot.shown} has no label; give the answer it is to show."
        )
    return shot.label
