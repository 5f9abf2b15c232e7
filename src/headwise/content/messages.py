"""Chat messages in the Hugging Face / OpenAI form, read into turns."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from headwise.content.image import Image, as_image
from headwise.content.parts import Content, Part, as_content, parts_of
from headwise.content.turns import Message, Role
from headwise.errors import InputError

_IMAGE_TYPES = ("image", "image_url", "input_image")
_TEXT_TYPES = ("text", "input_text", "output_text")


def parse_messages(
    messages: Sequence[Mapping[str, object] | Message],
    images: Sequence[Image] = (),
    *,
    allow_files: bool = True,
) -> tuple[Message, ...]:
    """Reads chat messages in the Hugging Face / OpenAI form.

    Args:
        messages: Turns that have been read already, or mappings with `role` and `content`.
            Content is text, or a list of parts: texts, `{"type": "text", "text": ...}` and
            pictures, `{"type": "image", "image": ...}` (a path, bytes, PIL image, array), `{"type": "image", "base64": ...}`, or
            `{"type": "image_url", "image_url": {"url": "data:image/png;base64,..."}}`.
        images: Pictures for the places that name none (`{"type": "image"}`), in order. Where the
            messages have no such place, they stand before the text of the first user's turn.
        allow_files: Whether a message may name a file; a server says no.

    Returns:
        The turns, in order.

    Raises:
        InputError: A message lacks a key, has an unknown role, or holds a part that is neither
            text nor a picture; or the pictures and their places do not match. Says which message.
    """
    reader = _Reader(list(images), allow_files)
    turns = tuple(reader.turn(number, message) for number, message in enumerate(messages))
    return reader.placed(turns)


class _Reader:
    """Reads the turns of one chat and hands out its pictures."""

    def __init__(self, images: list[Image], allow_files: bool) -> None:
        self._images = images
        self._allow_files = allow_files
        self._places = 0

    def turn(self, number: int, message: object) -> Message:
        if isinstance(message, Message):
            return message
        if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
            raise InputError(
                f"Message {number} must have 'role' and 'content'; got {_describe(message)}."
            )
        role = message["role"]
        if role not in get_args(Role):
            raise InputError(
                f"Message {number} has the role {role!r}; expected one of {get_args(Role)}."
            )
        return Message(role, self._content(message["content"], number))

    def placed(self, turns: tuple[Message, ...]) -> tuple[Message, ...]:
        """The turns with the pictures that no place asked for before the first user's text."""
        if self._places:
            if self._places != len(self._images):
                raise InputError(
                    f"The messages have {self._places} places for images, but {len(self._images)} "
                    "images were given."
                )
            return turns
        if not self._images:
            return turns
        for number, turn in enumerate(turns):
            if turn.role == "user":
                content = as_content([*self._images, *parts_of(turn.content)])
                return (*turns[:number], Message("user", content), *turns[number + 1 :])
        raise InputError("Images were given, but no user's turn to put them in.")

    def _content(self, content: object, number: int) -> Content:
        if isinstance(content, str):
            return content
        if isinstance(content, bytes) or not isinstance(content, Sequence):
            raise InputError(
                f"Message {number} has content of type {type(content).__name__}; expected text or "
                "a list of content parts."
            )
        return as_content(list(self._read_parts(content, number)))

    def _read_parts(self, content: Sequence[object], number: int) -> Iterator[Part]:
        after_text = False
        for part in content:
            if isinstance(part, Image):
                yield part
                after_text = False
                continue
            kind = part.get("type") if isinstance(part, Mapping) else None
            if isinstance(part, Mapping) and kind in _IMAGE_TYPES:
                yield self._picture(part, number)
                after_text = False
            elif isinstance(part, str) or (isinstance(part, Mapping) and kind in _TEXT_TYPES):
                text = part if isinstance(part, str) else str(part.get("text", ""))
                yield f"\n{text}" if after_text else text
                after_text = True
            else:
                raise InputError(
                    f"Message {number} has a content part that is neither text nor an image: "
                    f"{_describe(part)}."
                )

    def _picture(self, part: Mapping[str, object], number: int) -> Image:
        name = f"image of message {number}"
        for key in ("image", "path"):
            value = part.get(key)
            if value is not None:
                return self._held(value, name)
        if part.get("base64") is not None:
            return _decoded(str(part["base64"]), name)
        link = part.get("image_url", part.get("url"))
        if isinstance(link, Mapping):
            link = link.get("url")
        if link is not None:
            return self._held(str(link), name)
        self._places += 1
        if self._places > len(self._images):
            raise InputError(
                f"Message {number} has a place for an image, {_describe(part)}, but no image for "
                f"it: {len(self._images)} were given."
            )
        return self._images[self._places - 1]

    def _held(self, value: object, name: str) -> Image:
        if isinstance(value, str):
            if value.startswith("data:"):
                return _decoded(value.partition(",")[2], name)
            if "://" in value:
                raise InputError(
                    f"The {name} is a link ({_describe(value)}); headwise opens none. Download it "
                    "and give the file, or send it as a data URL."
                )
        is_file = isinstance(value, str | Path)
        if is_file and not self._allow_files:
            raise InputError(f"The {name} names a file; send the image itself as a data URL.")
        return as_image(value, None if is_file else name)  # type: ignore[arg-type]


def _decoded(text: str, name: str) -> Image:
    try:
        return as_image(base64.b64decode(text, validate=True), name)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"The {name} is not valid base64: {error}.") from error


def _describe(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."
