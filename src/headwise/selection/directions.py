"""Per head, the direction that tells good from bad: whitened centroid differences.

With two classes and few examples a head's centroids differ along a direction that is mostly noise
where the head varies most anyway. Dividing by the shrunk covariance within the classes (Fisher's
linear discriminant) takes that out. On pairs of right and wrong facts with 40 support pairs it was
worth 3 points over the cosine margin of the same heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from headwise.errors import InputError, UninformativeHeadsError
from headwise.heads import HeadActivations, HeadIndex, HeadSet

# Variance assumed where examples show none, as a share of a head's mean square.
_FLOOR = 1e-3
_CONSTANT = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class DirectionReadout:
    """A few heads, each with a direction along which good and bad differ.

    Args:
        heads: `k` heads, best first, scored by how reliably they separate held-out examples.
        directions: One float32 `(head_dim,)` tensor a head.
        offsets: `(k,)` float32: each direction's value half-way between good and bad.
    """

    heads: HeadSet
    directions: tuple[Tensor, ...]
    offsets: Tensor

    def __post_init__(self) -> None:
        if not len(self.heads) == len(self.directions) == len(self.offsets) > 0:
            raise InputError("A DirectionReadout needs one direction and one offset a head.")

    def margins(self, activations: HeadActivations) -> Tensor:
        """How much the heads speak for good, averaged: `(n,)` float64.

        Args:
            activations: `n` conversations, of the readout's heads' layers at least.
        """
        values = [
            activations.head(index).double() @ direction.double() - offset.double()
            for index, direction, offset in zip(
                self.heads, self.directions, self.offsets, strict=True
            )
        ]
        return torch.stack(values).mean(dim=0)


@dataclass(frozen=True, slots=True, eq=False)
class HeadDirections:
    """Directions of every head, with how well each separates examples it was not fitted on.

    Args:
        ranked: All heads whose centroids differ, best first, scored by their separation.
        directions: One `(n_heads, head_dim)` float64 tensor a layer.
        offsets: One `(n_heads,)` float64 tensor a layer.
        layers: The layers' numbers, in order.
    """

    ranked: HeadSet
    directions: tuple[Tensor, ...]
    offsets: tuple[Tensor, ...]
    layers: tuple[int, ...]

    def readout(self, n_heads: int) -> DirectionReadout:
        """The readout of the best heads."""
        heads = self.ranked.top(n_heads)
        at = {layer: number for number, layer in enumerate(self.layers)}
        return DirectionReadout(
            heads,
            tuple(self.directions[at[i.layer]][i.head].float() for i in heads),
            torch.stack([self.offsets[at[i.layer]][i.head].float() for i in heads]),
        )


def fit_directions(
    activations: HeadActivations,
    good: Tensor,
    groups: Sequence[int],
    *,
    shrinkage: float = 1.0,
) -> HeadDirections:
    """Fits every head's direction and ranks heads by leave-one-group-out separation.

    Args:
        activations: `n` support conversations, all heads.
        good: `(n,)` bool; both kinds occur.
        groups: `(n,)` which pair or single judgement each row belongs to; a group is left out
            whole.
        shrinkage: Weight of the identity (scaled to the mean variance) against the covariance.

    Returns:
        Directions scaled so that each head's held-out margins have unit deviation.

    Raises:
        UninformativeHeadsError: No head's centroids differ.

    Source: Fisher's linear discriminant with shrinkage towards the identity; ours, in place of the
    cosine margin of SAVs (arXiv:2412.00142).
    """
    numbers = torch.unique(torch.as_tensor(groups), return_inverse=True)[1]
    ranked: list[tuple[float, HeadIndex]] = []
    directions, offsets = [], []
    for entry, layer in zip(activations.layout.layers, activations.values, strict=True):
        fitted = _fit_layer(layer.double(), good, numbers, shrinkage)
        directions.append(fitted.directions)
        offsets.append(fitted.offsets)
        ranked.extend(
            (-float(fitted.separation[head]), HeadIndex(entry.layer, head))
            for head in range(entry.n_heads)
            if bool(fitted.informative[head])
        )
    if not ranked:
        raise UninformativeHeadsError(
            "No attention head tells good from bad responses: every head gives the same "
            "activations for all of them. Are the chosen and rejected responses the same text?"
        )
    ranked.sort()
    heads = HeadSet(tuple(index for _, index in ranked), tuple(-value for value, _ in ranked))
    layers = tuple(entry.layer for entry in activations.layout.layers)
    return HeadDirections(heads, tuple(directions), tuple(offsets), layers)


@dataclass(frozen=True, slots=True, eq=False)
class _FittedLayer:
    directions: Tensor
    offsets: Tensor
    separation: Tensor
    informative: Tensor


def _fit_layer(x: Tensor, good: Tensor, groups: Tensor, shrinkage: float) -> _FittedLayer:
    """Directions `(heads, dim)` of one layer and their separation on left-out groups."""
    up, down = x[good].mean(dim=0), x[~good].mean(dim=0)
    factor = _cholesky(x, torch.where(good[:, None, None], up, down), shrinkage)
    direction = _solve(factor, (up - down)[None])[0]
    offset = (direction * (up + down)).sum(dim=1) / 2
    margins = _left_out_margins(x, good, groups, factor)
    separation = margins.mean(dim=0) / _deviation(margins)
    # Heads count alike when their margins are in units of their own deviation.
    unit = 1 / _deviation(margins)
    spread = (up - down).norm(dim=1)
    informative = spread > _CONSTANT * torch.maximum(up.norm(dim=1), down.norm(dim=1))
    return _FittedLayer(direction * unit[:, None], offset * unit, separation, informative)


def _cholesky(x: Tensor, centers: Tensor, shrinkage: float) -> Tensor:
    """`(heads, dim, dim)` Cholesky factors of the shrunk covariance within classes."""
    deviations = x - centers
    covariance = torch.einsum("nhd,nhe->hde", deviations, deviations) / len(x)
    dim = x.shape[2]
    variance = covariance.diagonal(dim1=1, dim2=2).mean(dim=1)
    floor = _FLOOR * x.square().mean(dim=(0, 2)) + 1e-12
    ridge = shrinkage * torch.maximum(variance, floor)
    ridged = covariance + ridge[:, None, None] * torch.eye(dim, dtype=covariance.dtype)
    factor: Tensor = torch.linalg.cholesky(ridged)
    return factor


def _solve(factor: Tensor, differences: Tensor) -> Tensor:
    """Directions of `(m, heads, dim)` centroid differences, of the same shape."""
    return torch.cholesky_solve(differences.permute(1, 2, 0), factor).permute(2, 0, 1)


def _left_out_margins(x: Tensor, good: Tensor, groups: Tensor, factor: Tensor) -> Tensor:
    """`(n_groups, heads)`: each group's mean signed margin by centroids that leave it out."""
    n_groups = int(groups.max()) + 1
    member = torch.nn.functional.one_hot(groups, n_groups).T.double()
    up = _left_out_means(x, member, good)
    down = _left_out_means(x, member, ~good)
    directions = _solve(factor, up - down)
    middles = (directions * (up + down)).sum(dim=2) / 2
    values = (x * directions[groups]).sum(dim=2) - middles[groups]
    signed = torch.where(good[:, None], values, -values)
    means: Tensor = (member @ signed) / member.sum(dim=1, keepdim=True)
    return means


def _left_out_means(x: Tensor, member: Tensor, kind: Tensor) -> Tensor:
    """`(n_groups, heads, dim)` mean of the rows of a kind outside each group."""
    weights = kind.double()
    inside = member * weights
    count = weights.sum() - inside.sum(dim=1)
    total = torch.einsum("n,nhd->hd", weights, x) - torch.einsum("gn,nhd->ghd", inside, x)
    # The only group of its kind cannot be left out.
    everything = torch.einsum("n,nhd->hd", weights, x) / weights.sum()
    left_out = total / count.clamp_min(1)[:, None, None]
    return torch.where(count[:, None, None] > 0, left_out, everything)


def _deviation(margins: Tensor) -> Tensor:
    """Deviation of the margins over groups; their size where there is one group only."""
    if len(margins) == 1:
        return margins.abs()[0].clamp_min(1e-12)
    return margins.std(dim=0).clamp_min(1e-12)
