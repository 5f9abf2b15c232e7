"""`Conversation`: what an engine takes, in the Hugging Face / OpenAI form of chat messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from headwise.errors import InputError

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat.

    Args:
        role: `"system"`, `"user"` or `"assistant"`.
        content: The text of the turn.
    """

    role: Role
    content: str

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise InputError(f"A message's role is one of {get_args(Role)}; got {self.role!r}.")
        if not isinstance(self.content, str):
            raise InputError(f"A message's content is text; got {type(self.content).__name__}.")


@dataclass(frozen=True, slots=True)
class Conversation:
    """A prompt for a model: chat messages, or plain text to be completed.

    Args:
        messages: The turns; the model is to write the next assistant turn. Empty for plain text.
        text: Plain text to be completed with no chat template; only without messages.
        prefill: Text with which the assistant turn has already begun, such as `"Answer:"`.
        like: Another conversation of the same template. What both begin with is what every one of
            the template begins with, so an engine may run it once for many calls.

    Raises:
        InputError: Neither or both of messages and text are given.
    """

    messages: tuple[Message, ...] = ()
    text: str | None = None
    prefill: str = ""
    like: Conversation | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if bool(self.messages) == (self.text is not None):
            raise InputError("A Conversation has either messages or plain text, and not both.")

    @classmethod
    def user(cls, content: str, system: str | None = None, prefill: str = "") -> Conversation:
        """A chat of one user turn, with an optional system turn before it."""
        turns = [Message("system", system)] if system is not None else []
        return cls((*turns, Message("user", content)), prefill=prefill)

    @classmethod
    def completion(cls, text: str) -> Conversation:
        """Plain text that the model is to continue, with no chat template."""
        return cls(text=text)

    @classmethod
    def from_messages(cls, messages: Sequence[Mapping[str, object]]) -> Conversation:
        """Reads chat messages in the Hugging Face / OpenAI form.

        Args:
            messages: Mappings with `role` and `content`; content is text, or a list of parts of
                which each is `{"type": "text", "text": ...}`.

        Returns:
            The conversation.

        Raises:
            InputError: A message lacks a key, has an unknown role, or holds a part that is not
                text.
        """
        return cls(parse_messages(messages))

    def with_turns(self, *turns: Message) -> Conversation:
        """The same chat with more turns at its end."""
        return replace(self, messages=(*self.messages, *turns))


def parse_messages(messages: Sequence[Mapping[str, object]]) -> tuple[Message, ...]:
    """Reads chat messages in the Hugging Face / OpenAI form.

    Args:
        messages: Mappings with `role` and `content`, see `Conversation.from_messages`.

    Returns:
        The messages, in order.

    Raises:
        InputError: A message is malformed; says which one.
    """
    parsed = []
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
            raise InputError(
                f"Message {number} must have 'role' and 'content'; got {_describe(message)}."
            )
        content = _text_of(message["content"], number)
        role = message["role"]
        if role not in get_args(Role):
            raise InputError(
                f"Message {number} has the role {role!r}; expected one of {get_args(Role)}."
            )
        parsed.append(Message(role, content))  # type: ignore[arg-type]
    return tuple(parsed)


def _text_of(content: object, number: int) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        raise InputError(
            f"Message {number} has content of type {type(content).__name__}; expected text or a "
            "list of content parts."
        )
    texts = []
    for part in content:
        if not (isinstance(part, Mapping) and part.get("type") == "text"):
            raise InputError(
                f"Message {number} has a content part that is not text: {_describe(part)}. The "
                "transformers engine of this version of headwise reads text only."
            )
        texts.append(str(part.get("text", "")))
    return "\n".join(texts)


def _describe(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."
