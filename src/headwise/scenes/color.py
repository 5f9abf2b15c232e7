"""Colours as people see them: distances in CIELAB, and the name that a colour has."""

from __future__ import annotations

from functools import lru_cache
from math import dist

import numpy as np

from headwise.errors import InputError
from headwise.scenes.vocabulary import PROTOTYPES, RGB, VIVID, Color

Lab = tuple[float, float, float]
"""CIELAB lightness (0 to 100), green to red, blue to yellow, under illuminant D65."""

_JITTER = 9
# Twice as near to its own name as to any other, so that nobody would call it by the other.
_CLEARLY = 0.5
_WHITE = (0.95047, 1.0, 1.08883)


def distance(first: RGB, second: RGB) -> float:
    """How different two colours look: the Euclidean distance in CIELAB (CIE76).

    Args:
        first: A colour.
        second: Another.

    Returns:
        0 for equal colours; about 2 is just noticeable, 100 is black to white.
    """
    return dist(to_lab(first), to_lab(second))


@lru_cache(maxsize=4096)
def name_of(rgb: RGB) -> Color | None:
    """The name of a colour, where it has one beyond doubt.

    Args:
        rgb: The colour.

    Returns:
        The name whose nearer shade (of `PROTOTYPES` and `VIVID`) is at most half as far as that of
        any other name; None if there is none.
    """
    lab = to_lab(rgb)
    (nearest, name), (second, _) = sorted(
        (min(dist(lab, shade) for shade in shades), name) for name, shades in _LABS.items()
    )[:2]
    return name if nearest <= _CLEARLY * second else None


def draw_color(color: Color, rng: np.random.Generator, *, vivid: bool = False) -> RGB:
    """A shade of a named colour that still has this name beyond doubt.

    Args:
        color: The name.
        rng: Where chance comes from.
        vivid: Whether it is near to the colour of `VIVID`, and not of `PROTOTYPES`.

    Returns:
        The shade.
    """
    prototype = (VIVID if vivid else PROTOTYPES)[color]
    while True:
        # One draw for all channels moves the lightness, one for each moves the hue a little.
        common, *own = (float(value) * 2 - 1 for value in rng.random(4))
        red, green, blue = (
            min(255, max(0, round(channel + _JITTER * (common + 0.5 * offset))))
            for channel, offset in zip(prototype, own, strict=True)
        )
        if name_of((red, green, blue)) == color:
            return red, green, blue


def shaded(rgb: RGB, shade: int) -> RGB:
    """A colour made lighter or darker.

    Args:
        rgb: The colour.
        shade: What is added to each channel; negative darkens.

    Returns:
        The result, within 0 to 255.
    """
    red, green, blue = (min(255, max(0, channel + shade)) for channel in rgb)
    return red, green, blue


def check_rgb(rgb: RGB) -> None:
    """Checks that a value is a colour.

    Args:
        rgb: The value.

    Raises:
        InputError: It is not three whole numbers of 0 to 255.
    """
    if len(rgb) != 3 or not all(isinstance(c, int) and 0 <= c <= 255 for c in rgb):
        raise InputError(f"A colour is three whole numbers from 0 to 255; got {rgb!r}.")


@lru_cache(maxsize=4096)
def to_lab(rgb: RGB) -> Lab:
    """Converts sRGB to CIELAB.

    Args:
        rgb: The colour.

    Returns:
        Its lightness and its two opponent coordinates.
    """
    red, green, blue = (_LINEAR[channel] for channel in rgb)
    x = _cube_root((0.4124 * red + 0.3576 * green + 0.1805 * blue) / _WHITE[0])
    y = _cube_root((0.2126 * red + 0.7152 * green + 0.0722 * blue) / _WHITE[1])
    z = _cube_root((0.0193 * red + 0.1192 * green + 0.9505 * blue) / _WHITE[2])
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _cube_root(value: float) -> float:
    return float(value ** (1 / 3)) if value > 0.008856 else 7.787 * value + 16 / 116


def _linear(channel: int) -> float:
    share = channel / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


_LINEAR = tuple(_linear(channel) for channel in range(256))
_LABS = {name: (to_lab(rgb), to_lab(VIVID[name])) for name, rgb in PROTOTYPES.items()}
