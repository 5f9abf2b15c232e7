"""Arithmetic of steerings, where it has a meaning; each result is a new value.

A replacement says what a head's output is to be, an offset what is to be added to it. So offsets
add up, and a head that is not steered counts as an offset of zero. Replacements can be mixed only
where both name the same heads: not being replaced is no vector.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from headwise.errors import InputError
from headwise.heads import HeadIndex, HeadSet, HeadVectors, Steering

_AS_OFFSETS = "Make offsets of both first: a.as_offset().{verb}(b.as_offset(){more})."


def scaled(steering: Steering, factor: float) -> Steering:
    """The steering with every vector times a factor.

    Raises:
        InputError: The factor is NaN or infinite.
    """
    if not math.isfinite(factor):
        raise InputError(f"A task vector can be scaled by a finite number only; got {factor}.")
    vectors = tuple(vector * (steering.scale * factor) for vector in steering.vectors)
    return Steering(steering.heads, vectors, steering.operation, steering.positions)


def offset(steering: Steering, zero_shot: HeadVectors) -> Steering:
    """What a replacement adds, on average, to the outputs that heads have anyway.

    Args:
        steering: A replacement.
        zero_shot: Mean outputs of the heads where nothing is replaced.

    Returns:
        The same heads with the operation `"add"`.
    """
    vectors = tuple(
        vector - zero_shot.vector(index)
        for index, vector in zip(steering.heads, steering.vectors, strict=True)
    )
    return Steering(steering.heads, vectors, "add", steering.positions)


def summed(first: Steering, second: Steering) -> Steering:
    """Both offsets at once: what adding the one and then the other does.

    Args:
        first: An offset.
        second: An offset.

    Returns:
        An offset of the heads of either; of two scores the higher.

    Raises:
        InputError: One of them is a replacement, or their positions differ.
    """
    _require_alike(first, second)
    if first.operation != "add":
        raise InputError(
            "Two replacements cannot be added: a head's output is replaced by one vector. "
            + _AS_OFFSETS.format(verb="plus", more="")
        )
    mine, theirs = _by_head(first), _by_head(second)
    vectors = {**mine, **theirs}
    vectors |= {head: mine[head] + theirs[head] for head in mine.keys() & theirs.keys()}
    scores = _scores(first)
    for head, score in _scores(second).items():
        scores[head] = max(score, scores.get(head, score))
    return _best_first(vectors, scores, first)


def mixed(first: Steering, second: Steering, weight: float) -> Steering:
    """A steering between two: the first at weight 0, the second at weight 1.

    Args:
        first: Where the line begins.
        second: Where it ends.
        weight: Share of the second, 0 to 1.

    Returns:
        Vectors and scores in between. Of offsets, a head that only one of them steers counts as
        zero in the other.

    Raises:
        InputError: The weight is out of range, operations or positions differ, or replacements do
            not name the same heads.
    """
    if not 0 <= weight <= 1:
        raise InputError(f"The weight of an interpolation is from 0 to 1; got {weight}.")
    _require_alike(first, second)
    mine, theirs = _by_head(first), _by_head(second)
    if first.operation == "replace" and set(mine) != set(theirs):
        raise InputError(
            f"The two task vectors replace different heads ({len(set(mine) & set(theirs))} of "
            f"{len(set(mine) | set(theirs))} are the same), and a head that only one replaces has "
            "nothing to be mixed with. " + _AS_OFFSETS.format(verb="interpolated", more=", weight")
        )
    kept = {**(mine if weight < 1 else {}), **(theirs if weight > 0 else {})}
    own, other = _scores(first), _scores(second)
    vectors, scores = {}, {}
    for head, vector in kept.items():
        nothing = torch.zeros_like(vector)
        vectors[head] = torch.lerp(mine.get(head, nothing), theirs.get(head, nothing), weight)
        scores[head] = (1 - weight) * own.get(head, 0.0) + weight * other.get(head, 0.0)
    return _best_first(vectors, scores, first)


def mixed_vectors(first: HeadVectors, second: HeadVectors, weight: float) -> HeadVectors:
    """Vectors between two sets of one layout: the first at weight 0, the second at weight 1."""
    values = zip(first.values, second.values, strict=True)
    return HeadVectors(first.layout, tuple(torch.lerp(a, b, weight) for a, b in values))


def _require_alike(first: Steering, second: Steering) -> None:
    for name in ("operation", "positions"):
        mine, theirs = getattr(first, name), getattr(second, name)
        if mine != theirs:
            raise InputError(
                f"The two task vectors steer differently ({name} {mine!r} and {theirs!r}); combine "
                "only what steers alike."
            )


def _by_head(steering: Steering) -> dict[HeadIndex, Tensor]:
    vectors = scaled(steering, 1.0).vectors
    return dict(zip(steering.heads, vectors, strict=True))


def _scores(steering: Steering) -> dict[HeadIndex, float]:
    return dict(zip(steering.heads.indices, steering.heads.scores, strict=True))


def _best_first(
    vectors: dict[HeadIndex, Tensor], scores: dict[HeadIndex, float], like: Steering
) -> Steering:
    order = sorted(vectors, key=lambda head: (-scores[head], head))
    heads = HeadSet(tuple(order), tuple(scores[head] for head in order))
    return Steering(heads, tuple(vectors[h] for h in order), like.operation, like.positions)
