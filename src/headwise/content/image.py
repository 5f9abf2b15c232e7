"""`Image`: a picture, by where it is or by what it is."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from headwise.content.ahead import decoded_ahead
from headwise.content.decoding import (
    no_picture,
    pixels_of_array,
    pixels_of_bytes,
    pixels_of_pil,
    require_pillow,
    the_image,
)
from headwise.content.encoded_text import bytes_in_text, is_picture
from headwise.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

ImageLike: TypeAlias = Union[
    "Image", "PilImage", str, Path, bytes, NDArray[np.generic], Mapping[str, Any]
]
"""A picture as users have it: a path, a data URL, encoded bytes, a PIL image, an array of pixels,
or `{"bytes": ..., "path": ...}` as the Hub's datasets have it."""

_HEAD_BYTES = 32

MOST_BYTES = 512 * 2**20
"""A larger file is refused before it is read."""


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
        if self.path is not None:
            object.__setattr__(self, "path", _expanded(Path(self.path)))
            if self.name == "image":
                object.__setattr__(self, "name", str(self.path))
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
        return decoded_ahead(self.digest) or self.decode()

    def decode(self) -> PilImage:
        """As `load`, whether or not it was decoded ahead."""
        if self.pixels is not None and self.size is not None:
            picture: PilImage = require_pillow().frombytes("RGB", self.size, self.pixels)
            return picture
        return pixels_of_bytes(self.read(), self.name)

    def check(self) -> None:
        """Checks that it begins as a picture does, without decoding it.

        Raises:
            InputError: It is empty, cannot be read, or is of no kind that can be decoded.
        """
        if self.pixels is not None:
            return
        head = self.encoded[:_HEAD_BYTES] if self.encoded is not None else b""
        if self.path is not None:
            try:
                with self.path.open("rb") as file:
                    head = file.read(_HEAD_BYTES)
            except OSError as error:
                raise _unreadable(self.name, error) from error
        if not is_picture(head):
            raise no_picture(self.name, is_empty=not head)

    def read(self) -> bytes:
        """The bytes of its file; a PNG is made where it is held as pixels.

        Raises:
            InputError: The file cannot be read.
        """
        if self.path is not None:
            return _bytes_of(self.path, self.name)
        if self.encoded is not None:
            return self.encoded
        stream = BytesIO()
        self.load().save(stream, format="PNG")
        return stream.getvalue()


def as_image(
    value: ImageLike,
    name: str | None = None,
    *,
    origin: str | None = None,
    folder: Path | None = None,
    allow_files: bool = True,
) -> Image:
    """A picture in any of the forms users have it in.

    Args:
        value: A path, a data URL or Base64 text, encoded bytes, a PIL image (its pixels are
            copied), an array `(height, width)`, `(height, width, 3)` or `(height, width, 4)` of
            whole numbers from 0 to 255, uint16 or floats from 0 to 1, `{"bytes": ..., "path":
            ...}`, or an `Image`, which stays what it is.
        name: What errors call it; the path, or "image", where None.
        origin: Where it is from, which errors say beside its path, such as `"train.jsonl:12"`.
        folder: Where relative paths begin; the current folder where None.
        allow_files: Whether it may name a file; a server says no.

    Returns:
        The picture.

    Raises:
        InputError: It is none of these, its file does not exist, or it is a link. Names it.
        MissingExtraError: Pillow is not installed.
    """
    pillow = require_pillow()
    if isinstance(value, Image):
        return value
    own = name or (None if origin is None else f"of {origin}")
    if isinstance(value, Mapping):
        held = value.get("bytes")
        if held is None and isinstance(value.get("path"), str):
            value = value["path"]
        elif not isinstance(held, bytes | bytearray):
            raise InputError(
                f"{the_image(own)} is an object with {', '.join(map(str, value)) or 'nothing'} in "
                'it; expected {"bytes": ...} or {"path": ...}.'
            )
        else:
            value = bytes(held)
    encoded = bytes_in_text(value, the_image(own)) if isinstance(value, str) else value
    if isinstance(encoded, bytes | bytearray | memoryview):
        return Image(encoded=bytes(encoded), name=own or "image")
    if isinstance(value, str | Path):
        if not allow_files:
            raise InputError(f"{the_image(own)} names a file; send the image as a data URL.")
        shown = name or (str(value) if origin in (None, str(value)) else f"{value} ({origin})")
        path = _expanded(Path(value))
        return Image(path=path if folder is None else folder / path, name=shown)
    if isinstance(value, np.ndarray):
        picture = pixels_of_array(value, own or "image")
    elif isinstance(value, pillow.Image):
        own = own or str(getattr(value, "filename", "")) or None
        picture = pixels_of_pil(value, own or "image")
    else:
        raise InputError(
            f"{the_image(own)} must be a path, a data URL, bytes, a PIL image or a numpy array; "
            f"got {type(value).__name__}."
        )
    return Image(pixels=picture.tobytes(), size=picture.size, name=own or "image")


def as_images(
    values: object,
    *,
    origin: str | None = None,
    folder: Path | None = None,
    allow_files: bool = True,
) -> tuple[Image, ...]:
    """One picture or several, in any of the forms users have them in.

    Args:
        values: None, a picture, a sequence of pictures (the frames of a video are one), or an
            array `(frames, height, width, channels)`.
        origin: Where they are from, for errors.
        folder: Where relative paths begin; the current folder where None.
        allow_files: Whether they may name files.

    Returns:
        The pictures.

    Raises:
        InputError: One is not a picture.
        MissingExtraError: There is one, and Pillow is not installed.
    """
    if values is None:
        return ()
    if isinstance(values, np.ndarray) and values.ndim == 4:
        values = list(values)
    if not isinstance(values, Sequence) or isinstance(values, str | bytes | bytearray | memoryview):
        values = [values]
    found = []
    for number, value in enumerate(values, start=1):
        of_many = len(values) > 1 and not isinstance(value, str | Path | Mapping)
        name = f"{number} of {origin or len(values)}" if of_many else None
        found.append(as_image(value, name, origin=origin, folder=folder, allow_files=allow_files))
    return tuple(found)


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # There is no such user: then it is the name of a file.
        return path


def _bytes_of(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(name, error) from error


def _hash_of_file(path: Path, name: str) -> str:
    try:
        found = path.stat()
        # A device or a pipe may have no end.
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
            raise InputError(f"{the_image(name)} cannot be read: it is {kind}.")
        if found.st_size > MOST_BYTES:
            raise InputError(
                f"{the_image(name)} has {found.st_size:,} bytes; more than {MOST_BYTES:,} are "
                "refused. Make it smaller first."
            )
        return _hash_of_version(path, found.st_mtime_ns, found.st_size)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: OSError | ValueError) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(f"{the_image(name)} cannot be read: {reason}.")


# The same file is often named by many rows: it is read once for as long as it does not change.
@lru_cache(maxsize=65_536)
def _hash_of_version(path: Path, changed: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
