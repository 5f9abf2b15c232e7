"""The heads that were kept, their class centroids, and what they say of a query."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from headwise.errors import InputError
from headwise.heads import HeadActivations, HeadSet
from headwise.selection.centroids import class_means, query_similarities
from headwise.selection.voting import Voting, decide
from headwise.selection.whitening import HeadWhitening


@dataclass(frozen=True, slots=True, eq=False)
class SparseReadout:
    """Nearest-centroid classification by a few heads.

    Args:
        heads: `k` heads, best first.
        centroids: One float32 `(n_classes, head_dim)` tensor a head, whitened where there are maps.
        maps: One float32 `(head_dim, head_dim)` whitening map a head; none where plain.
        voting: How the heads' similarities become decisions.
    """

    heads: HeadSet
    centroids: tuple[Tensor, ...]
    maps: tuple[Tensor, ...]
    voting: Voting

    def __post_init__(self) -> None:
        if not len(self.heads) == len(self.centroids) > 0:
            raise InputError("A SparseReadout needs one centroid table a head.")
        if len(self.maps) not in (0, len(self.heads)):
            raise InputError("A SparseReadout has a whitening map for every head or for none.")

    @classmethod
    def fitted(
        cls,
        activations: HeadActivations,
        labels: Tensor,
        n_classes: int,
        heads: HeadSet,
        *,
        whitening: HeadWhitening | None,
        voting: Voting,
    ) -> SparseReadout:
        """Takes the centroids of the kept heads from support activations.

        Args:
            activations: `n` support examples, not whitened.
            labels: `(n,)` int64 class numbers, every class present.
            n_classes: How many classes.
            heads: The heads to keep, best first.
            whitening: The maps to whiten by, or None.
            voting: See `decide`.

        Returns:
            The readout.
        """
        centroids, maps = [], []
        for index in heads:
            values = activations.head(index).double()
            if whitening is not None:
                # Laid out as a file gives them back: a saved readout says the same to the bit.
                maps.append(whitening.of_head(index).float().contiguous())
                values = values @ whitening.of_head(index).T
            means = class_means(values[:, None], labels, n_classes)[:, 0]
            centroids.append(means.float())
        return cls(heads, tuple(centroids), tuple(maps), voting)

    def similarities(self, activations: HeadActivations) -> Tensor:
        """Cosine similarity to every class centroid in every kept head.

        Args:
            activations: `n` queries, of the kept heads' layers at least.

        Returns:
            `(n, k, n_classes)` float64.
        """
        found = []
        for number, index in enumerate(self.heads):
            values = activations.head(index).double()
            if self.maps:
                values = values @ self.maps[number].double().T
            found.append(query_similarities(values, self.centroids[number]))
        return torch.stack(found, dim=1)

    def decisions(self, activations: HeadActivations) -> Tensor:
        """Decision values, `(n, n_classes)` float64; the largest is the prediction."""
        return decide(self.similarities(activations), self.voting)

    def tensors(self) -> dict[str, Tensor]:
        """The learnt numbers by name, for saving."""
        named = {f"centroids.{number}": table for number, table in enumerate(self.centroids)}
        named |= {f"whitening.{number}": table for number, table in enumerate(self.maps)}
        return named
