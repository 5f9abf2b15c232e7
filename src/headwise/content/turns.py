"""`Message`: one turn of a chat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from headwise.content.image import Image
from headwise.content.parts import Content, as_content, images_in, text_in
from headwise.errors import InputError

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat.

    Args:
        role: `"system"`, `"user"` or `"assistant"`.
        content: The text of the turn, or texts and pictures in their order.
    """

    role: Role
    content: Content

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise InputError(f"A message's role is one of {get_args(Role)}; got {self.role!r}.")
        if not isinstance(self.content, str | tuple):
            raise InputError(
                "A message's content is text, or a tuple of texts and Images; got "
                f"{type(self.content).__name__}."
            )
        object.__setattr__(self, "content", as_content(self.content))

    @property
    def text(self) -> str:
        """The text of the turn, without its pictures."""
        return text_in(self.content)

    @property
    def images(self) -> tuple[Image, ...]:
        """The pictures of the turn, in order."""
        return images_in(self.content)
