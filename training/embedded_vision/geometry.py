"""What is where, for whole batches at once: the cells, the reading order and the relations.

`headwise.scenes.relations` says the same of one scene; the tower needs it for hundreds a second,
and after an image was flipped or shrunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwise.scenes.vocabulary import MOST_OBJECTS

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

GRID = 6
"""Cells to a side: image tokens to a side."""
CELLS = GRID * GRID
# As in headwise.scenes.relations.
_STEEPNESS = 1.6
_LEAST_GAP = 1 / 64
NO_DIRECTION, LEFT, RIGHT, ABOVE, BELOW = range(5)
_NO_LINK = MOST_OBJECTS
_FAR = 1e6


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the objects of a batch are; rows that hold no object have meaningless values.

    Args:
        valid: Which rows hold an object, `(batch, objects)`.
        rank: The place in reading order.
        directions: Where each object lies from the one of each rank, `(batch, objects, ranks)`.
        link: The rank of the object that the graph links it to; `MOST_OBJECTS` for none.
    """

    valid: NDArray[np.bool_]
    rank: Ints
    directions: Ints
    link: Ints


def layout_of(boxes: Floats) -> Layout:
    """The layout of a batch.

    Args:
        boxes: Centres and extents `(batch, objects, 4)` as shares of the image: x, y, width,
            height; x is negative where there is no object.

    Returns:
        The layout.
    """
    x, y = boxes[..., 0], boxes[..., 1]
    valid = x >= 0
    rank = _ranks(x, y, valid)
    by_object = _directions(boxes, valid)
    order = np.argsort(rank, axis=1)
    directions = np.take_along_axis(by_object, order[:, None, :].repeat(x.shape[1], 1), axis=2)
    return Layout(
        valid,
        rank,
        directions,
        _links(x, y, rank, order, directions),
    )


def _ranks(x: Floats, y: Floats, valid: NDArray[np.bool_]) -> Ints:
    ninth = np.floor(3 * y) * 3 + np.floor(3 * x)
    key = np.where(valid, ninth * 10 + y + x * 1e-3, _FAR + np.arange(x.shape[1]))
    ranks: Ints = np.argsort(np.argsort(key, axis=1), axis=1)
    return ranks


def _directions(boxes: Floats, valid: NDArray[np.bool_]) -> Ints:
    """Where the first of two objects lies from the second, `(batch, objects, objects)`."""
    x, y, width, height = (boxes[..., k] for k in range(4))
    across, down = x[:, :, None] - x[:, None, :], y[:, :, None] - y[:, None, :]
    beside = (np.abs(across) >= _STEEPNESS * np.abs(down)) & (
        np.abs(across) - (width[:, :, None] + width[:, None, :]) / 2 >= _LEAST_GAP
    )
    over = (np.abs(down) >= _STEEPNESS * np.abs(across)) & (
        np.abs(down) - (height[:, :, None] + height[:, None, :]) / 2 >= _LEAST_GAP
    )
    found = np.where(beside, np.where(across < 0, LEFT, RIGHT), NO_DIRECTION)
    found = np.where(over & ~beside, np.where(down < 0, ABOVE, BELOW), found)
    return np.where(valid[:, :, None] & valid[:, None, :], found, NO_DIRECTION)


def _links(x: Floats, y: Floats, rank: Ints, order: Ints, directions: Ints) -> Ints:
    """The nearest object earlier in reading order that lies in a clear direction, by its rank."""
    sorted_x, sorted_y = np.take_along_axis(x, order, 1), np.take_along_axis(y, order, 1)
    gap = np.hypot(x[:, :, None] - sorted_x[:, None, :], y[:, :, None] - sorted_y[:, None, :])
    ranks = np.arange(x.shape[1])
    allowed = (ranks[None, None, :] < rank[:, :, None]) & (directions != NO_DIRECTION)
    gap = np.where(allowed, gap, _FAR)
    return np.where(gap.min(2) < _FAR, gap.argmin(2), _NO_LINK)
