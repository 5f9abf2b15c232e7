"""`Content`: text, or text with pictures in it, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from headwise.content.image import Image
from headwise.errors import InputError

_MARK = "\x1d"

Part: TypeAlias = str | Image
Content: TypeAlias = str | tuple[Part, ...]
"""What a turn, a prompt or a response says: plain text, or texts and pictures in their order.

With a picture it is a tuple; without one it is a string, so that equal contents are equal.
"""


def as_content(parts: Sequence[Part] | str) -> Content:
    """Content in its one form: neighbouring texts joined, empty ones dropped.

    Args:
        parts: Texts and pictures, in order; or a text.

    Returns:
        A string where there is no picture, else a tuple.

    Raises:
        InputError: A part is neither text nor an `Image`.
    """
    if isinstance(parts, str):
        return parts
    merged: list[Part] = []
    for part in parts:
        if not isinstance(part, str | Image):
            raise InputError(
                f"A part of a content is text or an Image; got {type(part).__name__}. Pictures are "
                "made Images with headwise.content.as_image."
            )
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    if any(isinstance(part, Image) for part in merged):
        return tuple(merged)
    return "".join(part for part in merged if isinstance(part, str))


def joined(*contents: Content) -> Content:
    """Contents one after the other, with nothing between."""
    return as_content([part for content in contents for part in parts_of(content)])


def with_images(images: Sequence[Image], text: Content) -> Content:
    """A text with pictures before it."""
    return joined(tuple(images), text)


def parts_of(content: Content) -> tuple[Part, ...]:
    """The texts and pictures of a content, in order."""
    return (content,) if isinstance(content, str) else content


def images_in(content: Content) -> tuple[Image, ...]:
    """The pictures of a content, in order."""
    return tuple(part for part in parts_of(content) if isinstance(part, Image))


def text_in(content: Content) -> str:
    """The text of a content, without its pictures."""
    return "".join(part for part in parts_of(content) if isinstance(part, str))


def content_key(content: Content) -> str:
    """A string that is the same for the same content and for no other, to group and compare by."""
    return "".join(
        # Doubled, so that no text can pose as a picture.
        part.replace(_MARK, _MARK * 2) if isinstance(part, str) else f"{_MARK}[{part.digest}]"
        for part in parts_of(content)
    )
