"""The outline of each shape as polygons in a box from 0 to 1, y downwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, pi, sin

from headwise.scenes.vocabulary import Shape

Polygon = tuple[tuple[float, float], ...]
"""Corners `(x, y)`, in order."""

_CORNERS_OF_CURVES = 48
# The hole of a ring, the waist of a star and the bars of a cross, as shares of the whole.
_RING = 0.46
_STAR = 0.5
_CROSS = 0.4


@dataclass(frozen=True, slots=True)
class Outline:
    """A shape's border.

    Args:
        outer: The polygon around it.
        hole: The polygon that is cut out of it, if any.
    """

    outer: Polygon
    hole: Polygon | None = None


def _around(radii: tuple[float, ...]) -> Polygon:
    """Corners around the middle, from the top clockwise, at the given radii in turn."""
    count = len(radii)
    return tuple(
        (0.5 + radius * sin(2 * pi * k / count), 0.5 - radius * cos(2 * pi * k / count))
        for k, radius in enumerate(radii)
    )


def _stretched(polygon: Polygon) -> Polygon:
    """The polygon, stretched to touch all four sides of the box."""
    xs, ys = zip(*polygon, strict=True)
    left, top = min(xs), min(ys)
    width, height = max(xs) - left, max(ys) - top
    return tuple(((x - left) / width, (y - top) / height) for x, y in polygon)


def _heart() -> Polygon:
    turns = [2 * pi * k / _CORNERS_OF_CURVES for k in range(_CORNERS_OF_CURVES)]
    return _stretched(
        tuple(
            (16 * sin(t) ** 3, -(13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t)))
            for t in turns
        )
    )


def _cross() -> Polygon:
    near, far = (1 - _CROSS) / 2, (1 + _CROSS) / 2
    return (
        *((near, 0.0), (far, 0.0), (far, near), (1.0, near), (1.0, far), (far, far)),
        *((far, 1.0), (near, 1.0), (near, far), (0.0, far), (0.0, near), (near, near)),
    )


_CIRCLE = _around((0.5,) * _CORNERS_OF_CURVES)
_SQUARE: Polygon = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))

OUTLINES: Mapping[Shape, Outline] = {
    "circle": Outline(_CIRCLE),
    "square": Outline(_SQUARE),
    "rectangle": Outline(_SQUARE),
    "triangle": Outline(((0.5, 0.0), (1.0, 1.0), (0.0, 1.0))),
    "star": Outline(_stretched(_around((0.5, 0.5 * _STAR) * 5))),
    "cross": Outline(_cross()),
    "ring": Outline(_CIRCLE, _around((0.5 * _RING,) * _CORNERS_OF_CURVES)),
    "diamond": Outline(_around((0.5,) * 4)),
    "pentagon": Outline(_stretched(_around((0.5,) * 5))),
    "heart": Outline(_heart()),
}
"""How each shape is drawn."""
