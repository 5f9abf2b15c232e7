"""`Conversation`: what an engine takes, in the Hugging Face / OpenAI form of chat messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from headwise.content import Content, Image, as_content, images_in
from headwise.content.messages import parse_messages
from headwise.content.turns import Message, Role
from headwise.errors import InputError

__all__ = ["Conversation", "Message", "Role", "parse_messages"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A prompt for a model: chat messages, or plain text to be completed.

    Args:
        messages: The turns; the model is to write the next assistant turn. Empty for plain text.
        text: Plain text to be completed with no chat template, or texts and pictures in their
            order; only without messages.
        prefill: Text with which the assistant turn has already begun, such as `"Answer:"`.
        like: Another conversation of the same template. What both begin with is what every one of
            the template begins with, so an engine may run it once for many calls.

    Raises:
        InputError: Neither or both of messages and text are given.
    """

    messages: tuple[Message, ...] = ()
    text: Content | None = None
    prefill: str = ""
    like: Conversation | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if bool(self.messages) == (self.text is not None):
            raise InputError("A Conversation has either messages or plain text, and not both.")
        if self.text is not None:
            object.__setattr__(self, "text", as_content(self.text))

    @property
    def images(self) -> tuple[Image, ...]:
        """All its pictures, in the order in which the model sees them."""
        contents = [m.content for m in self.messages] if self.text is None else [self.text]
        return tuple(image for content in contents for image in images_in(content))

    @classmethod
    def user(cls, content: Content, system: str | None = None, prefill: str = "") -> Conversation:
        """A chat of one user turn, with an optional system turn before it."""
        turns = [Message("system", system)] if system is not None else []
        return cls((*turns, Message("user", content)), prefill=prefill)

    @classmethod
    def completion(cls, text: Content) -> Conversation:
        """Plain text, perhaps with pictures, that the model continues with no chat template."""
        return cls(text=text)

    @classmethod
    def from_messages(
        cls, messages: Sequence[Mapping[str, object]], images: Sequence[Image] = ()
    ) -> Conversation:
        """Reads chat messages in the Hugging Face / OpenAI form; see `parse_messages`.

        Args:
            messages: The messages.
            images: Pictures for the places that name none (`{"type": "image"}`), in order.

        Returns:
            The conversation.

        Raises:
            InputError: A message is malformed; says which one.
        """
        return cls(parse_messages(messages, images))

    def with_turns(self, *turns: Message) -> Conversation:
        """The same chat with more turns at its end."""
        return replace(self, messages=(*self.messages, *turns))
