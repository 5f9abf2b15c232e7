"""What to put into which heads, where in the sequence, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from headwise.errors import InputError
from headwise.heads.activations import HeadVectors
from headwise.heads.index import HeadSet

Operation = Literal["replace", "add"]
Positions = Literal["prompt", "generated"]


@dataclass(frozen=True, slots=True, eq=False)
class Steering:
    """Head activations to put back during a forward pass.

    Args:
        heads: The heads to steer.
        vectors: One float32 vector a head, in the order of `heads`, each `(head_dim,)`.
        operation: `"replace"` puts the vector in place of the head's output; `"add"` adds
            `scale` times it.
        positions: `"prompt"` steers the last prompt token only; `"generated"` also every token
            generated (or, when scoring, every candidate token before the one it predicts).
        scale: Factor on the vectors; only with `"add"`.

    Raises:
        InputError: Counts differ, an unknown operation or position, or a scale with "replace".
    """

    heads: HeadSet
    vectors: tuple[Tensor, ...]
    operation: Operation = "replace"
    positions: Positions = "prompt"
    scale: float = 1.0

    def __post_init__(self) -> None:
        if len(self.heads) != len(self.vectors):
            raise InputError(
                f"Steering needs one vector a head; got {len(self.heads)} heads and "
                f"{len(self.vectors)} vectors."
            )
        if self.operation not in ("replace", "add"):
            raise InputError(f"operation is 'replace' or 'add'; got {self.operation!r}.")
        if self.positions not in ("prompt", "generated"):
            raise InputError(f"positions is 'prompt' or 'generated'; got {self.positions!r}.")
        if self.operation == "replace" and self.scale != 1.0:
            raise InputError("scale has a meaning only with operation='add'.")

    @classmethod
    def from_vectors(
        cls,
        heads: HeadSet,
        vectors: HeadVectors,
        operation: Operation = "replace",
        positions: Positions = "prompt",
        scale: float = 1.0,
    ) -> Steering:
        """Takes each head's vector from a full set of vectors.

        Args:
            heads: The heads to steer.
            vectors: Vectors of (at least) these heads.
            operation: See `Steering`.
            positions: See `Steering`.
            scale: See `Steering`.

        Returns:
            The steering.
        """
        chosen = tuple(vectors.vector(index).clone() for index in heads)
        return cls(heads, chosen, operation, positions, scale)

    def by_layer(self) -> dict[int, tuple[Tensor, Tensor]]:
        """`{layer: (head numbers (k,) int64, vectors (k, head_dim) float32)}`, layers ascending."""
        grouped: dict[int, tuple[list[int], list[Tensor]]] = {}
        for index, vector in zip(self.heads, self.vectors, strict=True):
            numbers, rows = grouped.setdefault(index.layer, ([], []))
            numbers.append(index.head)
            rows.append(vector)
        return {
            layer: (torch.tensor(numbers), torch.stack(rows))
            for layer, (numbers, rows) in sorted(grouped.items())
        }


Steerings: TypeAlias = Steering | Sequence[Steering | None] | None
"""One steering for all conversations of a call, or one (or none) for each."""


def steering_of_each(steering: Steerings, n: int) -> list[Steering | None]:
    """The steering of each of `n` conversations.

    Args:
        steering: One for all, or one for each.
        n: How many conversations.

    Returns:
        `n` of them; one that steers no head is none.

    Raises:
        InputError: There is another number of them.
    """
    if steering is None or isinstance(steering, Steering):
        each: list[Steering | None] = [steering] * n
    else:
        each = list(steering)
    if len(each) != n:
        raise InputError(
            f"Got {len(each)} steerings for {n} conversations; give one for all, or one for each."
        )
    return [one if one is not None and len(one.heads) else None for one in each]


def in_common(each: Sequence[Steering | None]) -> Steerings:
    """One steering for all where all are the same one; each one's own otherwise."""
    return each[0] if len(set(each)) == 1 else each
