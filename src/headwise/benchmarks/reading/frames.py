"""The frames of a clip: a list of pictures, or an animated picture taken apart."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from headwise.content import Image, as_image
from headwise.content.decoding import require_pillow
from headwise.errors import InputError

MOST_FRAMES = 8


def frames_of(clip: Image, most: int = MOST_FRAMES) -> tuple[Image, ...]:
    """The frames of an animated picture, evenly spaced from the first to the last.

    Args:
        clip: A picture; one that does not move is its only frame.
        most: How many frames at most, at least 1.

    Returns:
        The frames, in order.

    Raises:
        InputError: It cannot be decoded.
    """
    pillow = require_pillow()
    try:
        with pillow.open(BytesIO(clip.read())) as opened:
            count = getattr(opened, "n_frames", 1)
            if count == 1:
                return (clip,)
            kept = min(most, count)
            places = [round(i * (count - 1) / max(kept - 1, 1)) for i in range(kept)]
            return tuple(_frame(opened, place, clip.name) for place in places)
    except InputError:
        raise
    except Exception as error:  # Each format's reader raises what it likes.
        raise InputError(f"The clip {clip.name} cannot be taken apart: {error}.") from error


def _frame(opened: Any, place: int, name: str) -> Image:
    opened.seek(place)
    return as_image(opened.convert("RGB"), f"{name} frame {place + 1}")
