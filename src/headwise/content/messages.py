"""Chat messages in the Hugging Face / OpenAI form, read into turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from headwise.content.image import Image, as_images
from headwise.content.parts import Content, Part, as_content, parts_of
from headwise.content.turns import Message, Role
from headwise.errors import InputError, shortened

_IMAGE_TYPES = ("image", "image_url", "input_image")
_VIDEO_TYPES = ("video",)
PICTURE_TYPES = (*_IMAGE_TYPES, *_VIDEO_TYPES)
"""Types of the content parts that show pictures."""

_TEXT_TYPES = ("text", "input_text", "output_text")
_PICTURE_KEYS = ("image", "path", "base64", "image_url", "url", "bytes")


def parse_messages(
    messages: Sequence[Mapping[str, object] | Message],
    images: Sequence[Image] = (),
    *,
    allow_files: bool = True,
    folder: Path | None = None,
    origin: str | None = None,
) -> tuple[Message, ...]:
    """Reads chat messages in the Hugging Face / OpenAI form.

    Args:
        messages: Turns that have been read already, or mappings with `role` and `content`.
            Content is text, or a list of parts: texts, `{"type": "text", "text": ...}` and
            pictures, `{"type": "image", "image": ...}` (a path, data URL, bytes, PIL image or
            array), `{"type": "image", "base64": ...}`, `{"type": "image_url", "image_url":
            {"url": "data:image/png;base64,..."}}`, or `{"type": "video", "video": [frame, ...]}`.
        images: Pictures for the places that name none (`{"type": "image"}`), in order. Where the
            messages show no picture at all, they stand before the text of the first user's turn.
            Where the messages show these same pictures already, they are not shown again.
        allow_files: Whether a message may name a file; a server says no.
        folder: Where relative paths begin; the current folder where None.
        origin: Where the messages are from, for errors, such as `"train.jsonl:12"`.

    Returns:
        The turns, in order.

    Raises:
        InputError: A message lacks a key, has an unknown role, or holds a part that is neither
            text nor a picture; or the pictures and their places do not match. Says which message.
    """
    reader = _Reader(tuple(images), allow_files, folder, origin)
    turns = tuple(reader.turn(number, message) for number, message in enumerate(messages))
    return reader.placed(turns)


def names_pictures(messages: Sequence[Mapping[str, object] | Message]) -> bool:
    """Whether messages, which may be malformed, hold pictures of their own, not places for them."""
    return any(
        isinstance(part, Image) or (_is_picture(part) and not _is_place(part))
        for message in messages
        for part in _raw_parts(message)
    )


def has_places(messages: Sequence[Mapping[str, object] | Message]) -> bool:
    """Whether messages, which may be malformed, have places for pictures."""
    return any(_is_place(part) for message in messages for part in _raw_parts(message))


def _raw_parts(message: object) -> Sequence[object]:
    if isinstance(message, Message):
        return parts_of(message.content)
    content = message.get("content") if isinstance(message, Mapping) else None
    is_list = isinstance(content, Sequence) and not isinstance(content, str | bytes)
    return content if isinstance(content, Sequence) and is_list else ()


class _Reader:
    """Reads the turns of one chat and hands out its pictures."""

    def __init__(
        self,
        images: tuple[Image, ...],
        allow_files: bool,
        folder: Path | None,
        origin: str | None,
    ) -> None:
        self._images = images
        self._allow_files = allow_files
        self._folder = folder
        self._origin = origin
        self._places = 0

    def turn(self, number: int, message: object) -> Message:
        if isinstance(message, Message):
            return message
        if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
            raise InputError(
                f"Message {number} must have 'role' and 'content'; got {shortened(message)}."
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
        shown = tuple(image for turn in turns for image in turn.images)
        # A trainer gives the images of its data set beside the messages that show them.
        if not self._images or self._images == shown:
            return turns
        if shown:
            raise InputError(
                f"The messages show {len(shown)} images of their own, and {len(self._images)} "
                "others were given beside them. Give either the ones or the others, or put a "
                'place {"type": "image"} in the messages for each of the others.'
            )
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
            text = _text_of(part)
            if text is not None:
                # Text parts that follow each other are paragraphs.
                yield f"\n{text}" if after_text else text
            elif isinstance(part, Image):
                yield part
            elif isinstance(part, Mapping) and _is_picture(part):
                yield from self._pictures(part, number)
            else:
                raise InputError(
                    f"Message {number} has a content part that is neither text nor an image: "
                    f"{shortened(part)}."
                )
            after_text = text is not None

    def _pictures(self, part: Mapping[str, object], number: int) -> tuple[Image, ...]:
        origin = f"message {number}" + ("" if self._origin is None else f" of {self._origin}")
        if part.get("type") in _VIDEO_TYPES:
            frames = part.get("video")
            if not isinstance(frames, Sequence) or isinstance(frames, str | bytes) or not frames:
                raise InputError(
                    f"Message {number} has a video that is no list of frames: {shortened(part)}. "
                    "headwise decodes no video files; give the frames that count as images."
                )
            return self._read(frames, origin)
        found = _named(part)
        if found is None:
            return (self._next_given(part, number),)
        return self._read([found], origin)

    def _read(self, values: Sequence[object], origin: str) -> tuple[Image, ...]:
        return as_images(values, origin=origin, folder=self._folder, allow_files=self._allow_files)

    def _next_given(self, part: Mapping[str, object], number: int) -> Image:
        self._places += 1
        if self._places > len(self._images):
            raise InputError(
                f"Message {number} has a place for an image, {shortened(part)}, but no image for "
                f"it: {len(self._images)} were given."
            )
        return self._images[self._places - 1]


def _text_of(part: object) -> str | None:
    if isinstance(part, Mapping) and part.get("type") in _TEXT_TYPES:
        part = part.get("text")
    return part if isinstance(part, str) else None


def _is_picture(part: object) -> bool:
    return isinstance(part, Mapping) and part.get("type") in PICTURE_TYPES


def _is_place(part: object) -> bool:
    is_image = isinstance(part, Mapping) and part.get("type") in _IMAGE_TYPES
    return isinstance(part, Mapping) and is_image and _named(part) is None


def _named(part: Mapping[str, object]) -> object:
    """The picture that a part holds or names; None where it is a place for one."""
    for key in _PICTURE_KEYS:
        value = part.get(key)
        if isinstance(value, Mapping) and "url" in value:
            value = value["url"]
        if value is None:
            continue
        if key == "base64" and isinstance(value, str) and not value.startswith("data:"):
            return f"data:;base64,{value}"
        return value
    return None
