"""`Image`: a picture, by where it is or by what it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from headwise.content.decoding import (
    pixels_of_array,
    pixels_of_bytes,
    pixels_of_pil,
    require_pillow,
)
from headwise.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

ImageLike: TypeAlias = Union["Image", "PilImage", str, Path, bytes, NDArray[np.generic]]
"""A picture as users have it: a path, encoded bytes, a PIL image, or an array of pixels."""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that a conversation shows.

    Two are equal where they show the same: by the bytes of the file, or by the pixels. A file is
    read when it is needed, each time, so that a job over many never holds them all. So it must
    stay as it is while it is in use.

    Args:
        path: The file; None where the picture is held in memory.
        encoded: The bytes of a file (PNG, JPEG, ...); None where it is elsewhere.
        pixels: `(height, width, 3)` uint8 as bytes, with `size`; None where it is elsewhere.
        size: `(width, height)` of `pixels`.
        name: What errors call it; the path, or what the user's data calls it.
        digest: A hash of what it shows, by which it is compared; not an argument.

    Raises:
        InputError: The file cannot be read, or not exactly one of path, encoded and pixels is
            given.
    """

    path: Path | None = field(default=None, compare=False)
    encoded: bytes | None = field(default=None, compare=False, repr=False)
    pixels: bytes | None = field(default=None, compare=False, repr=False)
    size: tuple[int, int] | None = field(default=None, compare=False)
    name: str = field(default="image", compare=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        given = [one for one in (self.path, self.encoded, self.pixels) if one is not None]
        if len(given) != 1 or (self.pixels is not None) != (self.size is not None):
            raise InputError("An Image has one of path, encoded bytes, or pixels with their size.")
        object.__setattr__(self, "digest", self._digest())

    def _digest(self) -> str:
        if self.path is not None:
            return _hash_of_file(self.path, self.name)
        head = b"" if self.size is None else repr(self.size).encode()
        content = self.encoded if self.encoded is not None else self.pixels or b""
        return hashlib.sha256(head + content).hexdigest()[:32]

    def load(self) -> PilImage:
        """The picture, decoded: RGB, upright, on white where it is transparent.

        Returns:
            A PIL image of mode RGB, at least one pixel wide and high, that is the caller's own.

        Raises:
            InputError: It cannot be read, is no picture, is damaged, is animated, or is larger
                than can be safe. Names it.
            MissingExtraError: Pillow is not installed.
        """
        if self.pixels is not None and self.size is not None:
            picture: PilImage = require_pillow().frombytes("RGB", self.size, self.pixels)
            return picture
        return pixels_of_bytes(self.read(), self.name)

    def read(self) -> bytes:
        """The bytes of its file; a PNG is made where it is held as pixels.

        Raises:
            InputError: The file cannot be read.
        """
        if self.path is not None:
            return _bytes_of(self.path, self.name)
        if self.encoded is not None:
            return self.encoded
        from io import BytesIO

        stream = BytesIO()
        self.load().save(stream, format="PNG")
        return stream.getvalue()


def as_image(value: ImageLike, name: str | None = None) -> Image:
    """A picture in any of the forms users have it in.

    Args:
        value: A path, encoded bytes, a PIL image (its pixels are copied), an array
            `(height, width)`, `(height, width, 3)` or `(height, width, 4)` of uint8, of uint16 or
            of floats from 0 to 1, or an `Image`, which stays what it is.
        name: What errors call it; the path, or "image", where None.

    Returns:
        The picture.

    Raises:
        InputError: It is none of these, or its file does not exist. Names it.
        MissingExtraError: Pillow is not installed.
    """
    require_pillow()
    if isinstance(value, Image):
        return value
    if isinstance(value, str | Path):
        return Image(path=Path(value), name=name or str(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return Image(encoded=bytes(value), name=name or "image")
    if isinstance(value, np.ndarray):
        picture = pixels_of_array(value, name or "image")
    elif isinstance(value, require_pillow().Image):
        picture = pixels_of_pil(value, name or getattr(value, "filename", "") or "image")
    else:
        raise InputError(
            f"{name or 'An image'} must be a path, bytes, a PIL image or a numpy array; got "
            f"{type(value).__name__}."
        )
    return Image(pixels=picture.tobytes(), size=picture.size, name=name or "image")


def as_images(values: object, name: str = "image") -> tuple[Image, ...]:
    """One picture or several, in any of the forms users have them in.

    Args:
        values: None, a picture, or a sequence of pictures (the frames of a video are one).
        name: What errors call them.

    Returns:
        The pictures.

    Raises:
        InputError: One is not a picture.
        MissingExtraError: There is one, and Pillow is not installed.
    """
    if values is None:
        return ()
    if isinstance(values, Sequence) and not isinstance(values, str | bytes):
        many = len(values) > 1
        return tuple(
            as_image(value, f"{name} {number}" if many and _needs_name(value) else None)
            for number, value in enumerate(values)
        )
    return (as_image(values),)  # type: ignore[arg-type]


def _needs_name(value: object) -> bool:
    return not isinstance(value, Image | str | Path)


def _bytes_of(path: Path, name: str) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"The image {name} cannot be read: {reason}.") from error


def _hash_of_file(path: Path, name: str) -> str:
    try:
        stat = path.expanduser().stat()
    except OSError as error:
        raise InputError(f"The image {name} cannot be read: {error.strerror}.") from error
    return _hash_of_version(path.expanduser(), name, stat.st_mtime_ns, stat.st_size)


# The same file is often named by many rows: it is read once for as long as it does not change.
@lru_cache(maxsize=65_536)
def _hash_of_version(path: Path, name: str, changed: int, size: int) -> str:
    return hashlib.sha256(_bytes_of(path, name)).hexdigest()[:32]
