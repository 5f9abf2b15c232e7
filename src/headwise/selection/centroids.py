"""Class centroids of head activations, and how well each head tells the classes apart by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from headwise.errors import InputError
from headwise.heads import HeadActivations, HeadLayout

HeadScoring = Literal["separation", "leave_one_out", "resubstitution"]

# A head whose centroids differ by less than this share of their length is constant up to rounding.
_CONSTANT = 1e-4
_TINY = 1e-30


@dataclass(frozen=True, slots=True, eq=False)
class HeadSimilarities:
    """How similar every example is to every class centroid, in every head.

    Args:
        layout: The heads.
        values: One float64 tensor a layer, `(n, n_heads, n_classes)`: cosine similarities.
        informative: One bool tensor a layer, `(n_heads,)`: False where the centroids of a head do
            not differ, so that its similarities are rounding noise.
    """

    layout: HeadLayout
    values: tuple[Tensor, ...]
    informative: tuple[Tensor, ...]

    def rows(self, indices: Tensor) -> HeadSimilarities:
        """The similarities of some examples."""
        return HeadSimilarities(
            self.layout, tuple(value[indices] for value in self.values), self.informative
        )


def class_means(values: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Mean activation of each class.

    Args:
        values: `(n, heads, dim)`.
        labels: `(n,)` int64 class numbers; every class occurs.
        n_classes: How many classes.

    Returns:
        `(n_classes, heads, dim)`.
    """
    one_hot = torch.nn.functional.one_hot(labels, n_classes).to(values.dtype)
    sums = torch.einsum("nc,nhd->chd", one_hot, values)
    return sums / one_hot.sum(dim=0)[:, None, None]


def support_similarities(
    activations: HeadActivations,
    labels: Tensor,
    n_classes: int,
    *,
    scoring: HeadScoring,
) -> HeadSimilarities:
    """Similarities of support examples to the centroids of their own support set.

    Args:
        activations: `n` support examples.
        labels: `(n,)` int64 class numbers, every class present.
        n_classes: How many classes.
        scoring: `"resubstitution"` lets a centroid include the example itself, as published;
            otherwise it is taken out. The only example of a class cannot be taken out and stays
            in.

    Returns:
        The similarities.

    Source: SAVs, arXiv:2412.00142, section 3. Deviation: leave-one-out is ours.
    """
    if len(activations) != len(labels):
        raise InputError(f"Got {len(activations)} activations and {len(labels)} labels.")
    values, informative = [], []
    for layer in activations.values:
        x = layer.double()
        means = class_means(x, labels, n_classes)
        own = means[labels]
        if scoring != "resubstitution":
            counts = torch.bincount(labels, minlength=n_classes)[labels].double()[:, None, None]
            own = torch.where(counts > 1, (own * counts - x) / (counts - 1).clamp_min(1), own)
        values.append(_cosines(x, means, labels, own))
        informative.append(_differs(means))
    return HeadSimilarities(activations.layout, tuple(values), tuple(informative))


def query_similarities(queries: Tensor, centroids: Tensor) -> Tensor:
    """Cosine similarities of queries to class centroids in one head.

    Args:
        queries: `(n, dim)`.
        centroids: `(n_classes, dim)`.

    Returns:
        `(n, n_classes)` float64.
    """
    x = torch.nn.functional.normalize(queries.double(), dim=1, eps=_TINY)
    return x @ torch.nn.functional.normalize(centroids.double(), dim=1, eps=_TINY).T


def _cosines(x: Tensor, means: Tensor, labels: Tensor, own: Tensor) -> Tensor:
    """Cosines to the class means, each example's own class mean being `own` instead."""
    unit = torch.nn.functional.normalize(x, dim=2, eps=_TINY)
    cosines = torch.einsum(
        "nhd,chd->nhc", unit, torch.nn.functional.normalize(means, dim=2, eps=_TINY)
    )
    to_own = (unit * torch.nn.functional.normalize(own, dim=2, eps=_TINY)).sum(dim=2)
    cosines[torch.arange(len(x)), :, labels] = to_own
    return cosines


def _differs(means: Tensor) -> Tensor:
    spread = (means - means.mean(dim=0)).norm(dim=2).amax(dim=0)
    different: Tensor = spread > _CONSTANT * means.norm(dim=2).amax(dim=0)
    return different
