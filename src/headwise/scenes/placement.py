"""Finding room for objects: continuous positions, no two objects touching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headwise.scenes.chance import between, shuffled
from headwise.scenes.scene import Box, footprint

_MARGIN = 1 / 64
_GAP = 2 / 64
_TRIES = 25
# Boxes dropped at random hardly ever cover more than this.
_MOST_FILLED = 0.5
_COLUMNS, _ROWS = 3, 2


@dataclass(frozen=True, slots=True)
class Extent:
    """How much room an object needs, in shares of the image.

    Args:
        width: From left to right.
        height: From top to bottom.
        label: The word that stands under it.
    """

    width: float
    height: float
    label: str | None


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the image, in shares of it, y downwards.

    Args:
        x: From the left.
        y: From the top.
    """

    x: float
    y: float


def place(extents: Sequence[Extent], rng: np.random.Generator) -> tuple[Point, ...] | None:
    """Random places at which no two objects touch.

    Args:
        extents: The room that each object needs.
        rng: Where chance comes from.

    Returns:
        The centres of the shapes, in the order of the extents; None if no room was found.
    """
    around = [footprint(0.0, 0.0, e.width, e.height, e.label) for e in extents]
    if sum(box.area for box in around) > _MOST_FILLED:
        return None
    taken: list[Box] = []
    points: dict[int, Point] = {}
    # The largest first: small ones find room between them, but not the other way round.
    for number in sorted(range(len(extents)), key=lambda number: -around[number].area):
        point = _free_point(around[number], taken, rng)
        if point is None:
            return None
        points[number] = point
        taken.append(_moved(around[number], point))
    return tuple(points[number] for number in range(len(extents)))


def place_in_grid(extents: Sequence[Extent], rng: np.random.Generator) -> tuple[Point, ...]:
    """Places for up to six small objects without labels; these always have room.

    Args:
        extents: The room that each object needs.
        rng: Where chance comes from.

    Returns:
        The centres, in the order of the extents.
    """
    points = []
    for cell, extent in zip(shuffled(rng, range(_COLUMNS * _ROWS)), extents, strict=False):
        left, top = (cell % _COLUMNS) / _COLUMNS, (cell // _COLUMNS) / _ROWS
        x_slack = (1 / _COLUMNS - extent.width) / 2 - _MARGIN
        y_slack = (1 / _ROWS - extent.height) / 2 - _MARGIN
        points.append(
            Point(
                left + 0.5 / _COLUMNS + between(rng, -x_slack, x_slack),
                top + 0.5 / _ROWS + between(rng, -y_slack, y_slack),
            )
        )
    return tuple(points)


def _free_point(around: Box, taken: Sequence[Box], rng: np.random.Generator) -> Point | None:
    for _ in range(_TRIES):
        point = Point(
            between(rng, _MARGIN - around.left, 1 - _MARGIN - around.right),
            between(rng, _MARGIN - around.top, 1 - _MARGIN - around.bottom),
        )
        box = _moved(around, point)
        if all(_are_apart(box, other) for other in taken):
            return point
    return None


def _moved(box: Box, point: Point) -> Box:
    return Box(box.left + point.x, box.top + point.y, box.right + point.x, box.bottom + point.y)


def _are_apart(box: Box, other: Box) -> bool:
    return (
        box.right + _GAP <= other.left
        or other.right + _GAP <= box.left
        or box.bottom + _GAP <= other.top
        or other.bottom + _GAP <= box.top
    )
