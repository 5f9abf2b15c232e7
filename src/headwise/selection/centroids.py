"""Class centroids of head activations, and how well each head tells the classes apart by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from headwise.errors import InputError
from headwise.heads import HeadActivations, HeadLayout

HeadScoring = Literal["leave_one_out", "resubstitution"]

# A head whose centroids differ by less than this share of their length is constant up to rounding.
_CONSTANT = 1e-4


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
    centered: bool,
) -> HeadSimilarities:
    """Similarities of support examples to the centroids of their own support set.

    Args:
        activations: `n` support examples.
        labels: `(n,)` int64 class numbers, every class present.
        n_classes: How many classes.
        scoring: `"resubstitution"` lets a centroid include the example itself, as published;
            `"leave_one_out"` takes it out. The only example of a class cannot be taken out and
            stays in.
        centered: Whether the mean of the class centroids is subtracted first, so that cosines
            compare what differs between classes instead of what they have in common.

    Returns:
        The similarities.

    Source: SAVs, arXiv:2412.00142, section 3. Deviations: leave-one-out and centring are ours.
    """
    if len(activations) != len(labels):
        raise InputError(f"Got {len(activations)} activations and {len(labels)} labels.")
    values, informative = [], []
    for layer in activations.values:
        x = layer.double()
        means = class_means(x, labels, n_classes)
        own = means[labels]
        if scoring == "leave_one_out":
            counts = torch.bincount(labels, minlength=n_classes)[labels].double()[:, None, None]
            own = torch.where(counts > 1, (own * counts - x) / (counts - 1).clamp_min(1), own)
        values.append(_cosines(x, means, labels, own, centered=centered))
        informative.append(_differs(means))
    return HeadSimilarities(activations.layout, tuple(values), tuple(informative))


def query_similarities(queries: Tensor, centroids: Tensor, center: Tensor) -> Tensor:
    """Cosine similarities of queries to class centroids in one head.

    Args:
        queries: `(n, dim)`.
        centroids: `(n_classes, dim)`, the centre already subtracted.
        center: `(dim,)`; zero without centring.

    Returns:
        `(n, n_classes)` float64.
    """
    x = torch.nn.functional.normalize(queries.double() - center.double(), dim=1)
    return x @ torch.nn.functional.normalize(centroids.double(), dim=1).T


def _cosines(x: Tensor, means: Tensor, labels: Tensor, own: Tensor, *, centered: bool) -> Tensor:
    """Cosines to the class means, each example's own class mean being `own` instead."""
    n_classes = len(means)
    rows = torch.arange(len(x))
    dots = torch.einsum("nhd,chd->nhc", x, means)
    dots[rows, :, labels] = (x * own).sum(dim=2)
    squares = means.square().sum(dim=2).T.repeat(len(x), 1, 1)
    squares[rows, :, labels] = own.square().sum(dim=2)
    lengths = x.square().sum(dim=2)
    if centered:
        # The centre moves with the example's own centroid, so each example has a centre of its own.
        center = means.mean(dim=0) + (own - means[labels]) / n_classes
        to_means = torch.einsum("nhd,chd->nhc", center, means)
        to_means[rows, :, labels] = (center * own).sum(dim=2)
        to_self = center.square().sum(dim=2)
        across = (x * center).sum(dim=2)
        dots = dots - across[:, :, None] - to_means + to_self[:, :, None]
        squares = squares - 2 * to_means + to_self[:, :, None]
        lengths = lengths - 2 * across + to_self
    scale = (squares.clamp_min(0) * lengths.clamp_min(0)[:, :, None]).sqrt()
    return torch.where(scale > 1e-18, dots / scale.clamp_min(1e-18), torch.zeros_like(dots))


def _differs(means: Tensor) -> Tensor:
    spread = (means - means.mean(dim=0)).norm(dim=2).amax(dim=0)
    different: Tensor = spread > _CONSTANT * means.norm(dim=2).amax(dim=0)
    return different
