"""Whitening: takes out of each head's activations what varies within the classes anyway.

A cosine weighs every direction of a head alike, also those along which examples of one class
differ most. Dividing by the covariance within classes, shrunk towards a multiple of the identity,
weighs them by how reliable they are. The fewer the examples, the stronger the shrinkage; with one
example a class nothing is known and nothing is changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from headwise.heads import HeadActivations, HeadIndex, HeadLayout
from headwise.selection.centroids import class_means

# Ridge in units of mean variance times head_dim / degrees of freedom; measured, docs/methods.md.
SHRINKAGE = 3.5
_FLOOR = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class HeadWhitening:
    """One linear map a head.

    Args:
        layout: The heads.
        maps: One float64 tensor a layer, `(n_heads, head_dim, head_dim)`; a head's activation `x`
            becomes `map @ x`.
    """

    layout: HeadLayout
    maps: tuple[Tensor, ...]

    def apply(self, activations: HeadActivations) -> HeadActivations:
        """Whitened activations, float32, of the same layout."""
        values = tuple(
            torch.einsum("hde,nhe->nhd", maps, layer.double()).float()
            for maps, layer in zip(self.maps, activations.values, strict=True)
        )
        return HeadActivations(activations.layout, values)

    def of_head(self, index: HeadIndex) -> Tensor:
        """The map of one head, `(head_dim, head_dim)` float64."""
        numbers = [entry.layer for entry in self.layout.layers]
        return self.maps[numbers.index(index.layer)][index.head]


def fit_whitening(activations: HeadActivations, labels: Tensor, n_classes: int) -> HeadWhitening:
    """Whitens by the shrunk covariance within classes.

    Args:
        activations: `n` support examples, all heads.
        labels: `(n,)` int64 class numbers, every class present.
        n_classes: How many classes.

    Returns:
        The maps; the identity where every class has one example.
    """
    freedom = len(labels) - n_classes
    maps = tuple(
        _whiten_layer(layer.double(), labels, n_classes, freedom) for layer in activations.values
    )
    return HeadWhitening(activations.layout, maps)


def _whiten_layer(x: Tensor, labels: Tensor, n_classes: int, freedom: int) -> Tensor:
    n_heads, dim = x.shape[1:]
    identity = torch.eye(dim, dtype=x.dtype)
    if freedom < 1:
        return identity.expand(n_heads, dim, dim)
    deviations = x - class_means(x, labels, n_classes)[labels]
    covariance = torch.einsum("nhd,nhe->hde", deviations, deviations) / freedom
    variance = covariance.diagonal(dim1=1, dim2=2).mean(dim=1)
    # A constant head has no variance; its map must be finite all the same.
    variance = variance.clamp_min(_FLOOR * float(x.square().mean()) + 1e-12)
    ridge = SHRINKAGE * dim / freedom * variance
    factor = torch.linalg.cholesky(covariance + ridge[:, None, None] * identity)
    # In units of the ridge, so that whitened and plain activations are of one size.
    unit = ridge.sqrt()[:, None, None]
    maps: Tensor = unit * torch.linalg.solve_triangular(
        factor, identity.expand(n_heads, dim, dim), upper=False
    )
    return maps
