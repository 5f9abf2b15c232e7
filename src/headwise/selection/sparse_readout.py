"""The heads that were kept, their class centroids, and what they say of a query."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from headwise.errors import InputError
from headwise.heads import HeadActivations, HeadSet
from headwise.selection.centroids import class_means, query_similarities
from headwise.selection.voting import Voting, decide


@dataclass(frozen=True, slots=True, eq=False)
class SparseReadout:
    """Nearest-centroid classification by a few heads.

    Args:
        heads: `k` heads, best first.
        centroids: One float32 `(n_classes, head_dim)` tensor a head, the centre subtracted.
        centers: One float32 `(head_dim,)` tensor a head; zero without centring.
        voting: How the heads' similarities become decisions.
    """

    heads: HeadSet
    centroids: tuple[Tensor, ...]
    centers: tuple[Tensor, ...]
    voting: Voting

    def __post_init__(self) -> None:
        if not len(self.heads) == len(self.centroids) == len(self.centers) > 0:
            raise InputError("A SparseReadout needs one centroid table and one centre a head.")

    @classmethod
    def fitted(
        cls,
        activations: HeadActivations,
        labels: Tensor,
        n_classes: int,
        heads: HeadSet,
        *,
        centered: bool,
        voting: Voting,
    ) -> SparseReadout:
        """Takes the centroids of the kept heads from support activations.

        Args:
            activations: `n` support examples.
            labels: `(n,)` int64 class numbers, every class present.
            n_classes: How many classes.
            heads: The heads to keep, best first.
            centered: Whether the mean of the centroids is subtracted.
            voting: See `decide`.

        Returns:
            The readout.
        """
        centroids, centers = [], []
        for index in heads:
            values = activations.head(index).double()[:, None]
            means = class_means(values, labels, n_classes)[:, 0]
            center = means.mean(dim=0) if centered else torch.zeros_like(means[0])
            centroids.append((means - center).float())
            centers.append(center.float())
        return cls(heads, tuple(centroids), tuple(centers), voting)

    def similarities(self, activations: HeadActivations) -> Tensor:
        """Cosine similarity to every class centroid in every kept head.

        Args:
            activations: `n` queries, of the kept heads' layers at least.

        Returns:
            `(n, k, n_classes)` float64.
        """
        return torch.stack(
            [
                query_similarities(activations.head(index), centroids, center)
                for index, centroids, center in zip(
                    self.heads, self.centroids, self.centers, strict=True
                )
            ],
            dim=1,
        )

    def decisions(self, activations: HeadActivations) -> Tensor:
        """Decision values, `(n, n_classes)` float64; the largest is the prediction."""
        return decide(self.similarities(activations), self.voting)

    def tensors(self, prefix: str = "") -> dict[str, Tensor]:
        """The learnt numbers by name, for saving: two tensors a head."""
        named = {}
        for number, (centroids, center) in enumerate(
            zip(self.centroids, self.centers, strict=True)
        ):
            named[f"{prefix}centroids.{number}"] = centroids
            named[f"{prefix}center.{number}"] = center
        return named
