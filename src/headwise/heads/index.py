"""Which head: `HeadIndex` and the ordered, scored `HeadSet`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from headwise.errors import InputError


@dataclass(frozen=True, order=True, slots=True)
class HeadIndex:
    """One attention head of the language backbone.

    Args:
        layer: Decoder layer, counted from 0.
        head: Query head within the layer, counted from 0.
    """

    layer: int
    head: int

    def __str__(self) -> str:
        return f"L{self.layer}H{self.head}"


@dataclass(frozen=True, slots=True)
class HeadSet:
    """An ordered set of heads, best first, with the score each was chosen by.

    Args:
        indices: The heads, best first, without repetition.
        scores: One score a head, in the same order; larger is better. What a score means is the
            selector's to say.

    Raises:
        InputError: Lengths differ or a head is named twice.
    """

    indices: tuple[HeadIndex, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.indices) != len(self.scores):
            raise InputError(
                f"A HeadSet needs one score a head; got {len(self.indices)} heads and "
                f"{len(self.scores)} scores."
            )
        if len(set(self.indices)) != len(self.indices):
            raise InputError("A HeadSet names each head once; this one repeats a head.")

    @classmethod
    def of(cls, heads: Iterable[tuple[int, int] | HeadIndex]) -> HeadSet:
        """Builds a set from `(layer, head)` pairs, all with score 0.

        Args:
            heads: Pairs or `HeadIndex`, best first.

        Returns:
            The set, in the given order.
        """
        indices = tuple(h if isinstance(h, HeadIndex) else HeadIndex(*h) for h in heads)
        return cls(indices, (0.0,) * len(indices))

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[HeadIndex]:
        return iter(self.indices)

    def __contains__(self, head: object) -> bool:
        return head in self.indices

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that hold at least one of the heads, ascending."""
        return tuple(sorted({index.layer for index in self.indices}))

    @property
    def deepest_layer(self) -> int:
        """The last layer a forward pass must reach to see every head of the set."""
        if not self.indices:
            raise InputError("An empty HeadSet has no deepest layer.")
        return max(index.layer for index in self.indices)

    def by_layer(self) -> dict[int, tuple[int, ...]]:
        """Heads of each layer, both ascending: `{layer: (head, ...)}`."""
        ordered = sorted(self.indices)
        return {
            layer: tuple(index.head for index in group)
            for layer, group in groupby(ordered, key=lambda index: index.layer)
        }

    def top(self, k: int) -> HeadSet:
        """The `k` best heads, or all of them where there are fewer."""
        return HeadSet(self.indices[:k], self.scores[:k])
