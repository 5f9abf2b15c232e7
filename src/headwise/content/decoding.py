"""Pixels of pictures as they come: files of every kind, PIL images, arrays. All become RGB."""

from __future__ import annotations

from io import BytesIO
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headwise.content.encoded_text import is_picture
from headwise.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

MOST_PIXELS = 64_000_000
"""A larger picture is refused before it is decoded: a small file can hold a huge one."""

# Others run programs of their own (EPS), or read what no camera or browser writes.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_READ_KINDS = "PNG, JPEG, WebP, GIF, BMP, TIFF or PPM"
_WIDE_GREY = ("I;16", "I;16L", "I;16B", "I;16N")


def require_pillow() -> ModuleType:
    """The module `PIL.Image`.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pillow", "vision", "Reading images") from error
    return Image


def the_image(name: str | None) -> str:
    """An image, as a sentence about it begins."""
    return "The image" if name in (None, "image") else f"The image {name}"


def no_picture(name: str, *, is_empty: bool = False) -> InputError:
    """The error for a file that is empty, or of no kind that can be read."""
    if is_empty:
        return InputError(f"{the_image(name)} is an empty file.")
    return InputError(
        f"{the_image(name)} is of no kind that can be read: expected {_READ_KINDS}. Convert others "
        "(HEIC, AVIF, SVG, PDF), and give the frames of a video one by one."
    )


def pixels_of_bytes(content: bytes, name: str) -> PilImage:
    """A file, decoded; see `Image.load`.

    Args:
        content: The bytes of the file.
        name: What errors call it.

    Returns:
        The picture, RGB.

    Raises:
        InputError: It is no picture, or one that cannot be read.
    """
    pillow = require_pillow()
    if not content:
        raise no_picture(name, is_empty=True)
    try:
        # Its header alone, so that a bomb is seen before it goes off.
        opened = pillow.open(BytesIO(content), formats=_FORMATS)
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise InputError(f"{the_image(name)} is too large: {error}") from error
    except Exception as error:  # Each format's reader raises what it likes.
        if is_picture(content):
            raise InputError(f"{the_image(name)} is damaged or cut short.") from error
        raise no_picture(name) from error
    return pixels_of_pil(opened, name)


def pixels_of_pil(picture: PilImage, name: str) -> PilImage:
    """A PIL image as RGB: upright, on white, in eight bits.

    Args:
        picture: The image, decoded or not.
        name: What errors call it.

    Returns:
        A new image of mode RGB.

    Raises:
        InputError: It is empty, animated, too large or damaged.
    """
    _check_size(*picture.size, name)
    try:
        # A camera's JPEG may carry a second, smaller one behind it: MPO.
        frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
        if frames > 1:
            raise InputError(
                f"{the_image(name)} is animated or has several pages ({frames} frames). Give the "
                "frames that count as a list of images."
            )
        picture.load()
        return _as_rgb(_upright(picture), name)
    except InputError:
        raise
    except Exception as error:  # Decoders raise what they like on damaged files.
        raise InputError(f"{the_image(name)} is damaged or cut short: {error}") from error


def _upright(picture: PilImage) -> PilImage:
    """The picture turned as its EXIF data says, where that can be read."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # Damaged notes on a picture do not spoil the picture.
        return picture


def pixels_of_array(array: NDArray[Any], name: str) -> PilImage:
    """An array of pixels as an RGB image.

    Args:
        array: `(height, width)`, `(height, width, 1)`, `(height, width, 3)` or
            `(height, width, 4)`; whole numbers from 0 to 255, uint16, or floats from 0 to 1.
        name: What errors call it.

    Returns:
        A new image of mode RGB.

    Raises:
        InputError: The shape, dtype or range is another.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise InputError(
            f"{the_image(name)} is an array of shape {array.shape}; expected (height, width), "
            "(height, width, 3) or (height, width, 4): channels last."
        )
    _check_size(array.shape[1], array.shape[0], name)
    picture = require_pillow().fromarray(np.ascontiguousarray(_eight_bits(array, name)))
    return pixels_of_pil(picture, name)


def _check_size(width: int, height: int, name: str) -> None:
    if not width or not height:
        raise InputError(f"{the_image(name)} is {width} x {height} pixels, so it shows nothing.")
    if width * height > MOST_PIXELS:
        raise InputError(
            f"{the_image(name)} is {width} x {height} pixels; more than {MOST_PIXELS:,} are "
            "refused. Make it smaller first."
        )


def _eight_bits(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return np.round(array / 257).astype(np.uint8)
    if array.dtype == np.bool_:
        return (array * np.uint8(255)).astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating) and np.all((array >= 0) & (array <= 1)):
        return np.round(array * 255).astype(np.uint8)
    if np.issubdtype(array.dtype, np.integer) and np.all((array >= 0) & (array <= 255)):
        return array.astype(np.uint8)
    is_number = np.issubdtype(array.dtype, np.number) and array.dtype.kind != "c"
    reach = f" from {array.min()} to {array.max()}" if is_number else ""
    raise InputError(
        f"{the_image(name)} is an array of {array.dtype}{reach}; expected whole numbers from 0 to "
        "255, uint16, or floats from 0 to 1 (no NaN)."
    )


def _as_rgb(picture: PilImage, name: str) -> PilImage:
    pillow = require_pillow()
    if picture.mode in _WIDE_GREY:
        return _grey(np.asarray(picture, dtype=np.uint16))
    if picture.mode == "I":
        # PIL gives some 16-bit files 32 bits.
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65_535:
            raise InputError(f"{the_image(name)} has 32-bit pixels; save it with 8 or 16 bits.")
        return _grey(values.astype(np.uint16))
    if picture.mode == "F":
        return pixels_of_array(np.asarray(picture), name)
    if picture.has_transparency_data:
        clear = picture.convert("RGBA")
        white: PilImage = pillow.new("RGBA", clear.size, "white")
        white.alpha_composite(clear)
        return white.convert("RGB")
    return picture.copy() if picture.mode == "RGB" else picture.convert("RGB")


def _grey(values: NDArray[np.uint16]) -> PilImage:
    picture: PilImage = require_pillow().fromarray(np.round(values / 257).astype(np.uint8))
    return picture.convert("RGB")
