"""Reads a `SparseReadout` back from an artifact's tensors, each checked."""

from __future__ import annotations

from torch import Tensor

from headwise.artifacts import ArtifactRecord
from headwise.errors import ArtifactError
from headwise.selection.sparse_readout import SparseReadout
from headwise.selection.voting import Voting


def readout_from_tensors(
    record: ArtifactRecord, n_classes: int, voting: Voting, *, whitened: bool
) -> SparseReadout:
    """The readout that `SparseReadout.tensors` wrote.

    Args:
        record: The artifact.
        n_classes: How many classes each centroid table has.
        voting: How the heads vote.
        whitened: Whether there are whitening maps.

    Returns:
        The readout.

    Raises:
        ArtifactError: A tensor is missing or of the wrong shape.
    """
    centroids, maps = [], []
    for number, index in enumerate(record.heads):
        width = record.layout.head_dim(index)
        centroids.append(named_tensor(record, f"centroids.{number}", (n_classes, width)))
        if whitened:
            maps.append(named_tensor(record, f"whitening.{number}", (width, width)))
    return SparseReadout(record.heads, tuple(centroids), tuple(maps), voting)


def named_tensor(record: ArtifactRecord, name: str, shape: tuple[int, ...]) -> Tensor:
    """One of an artifact's tensors, checked for its shape.

    Raises:
        ArtifactError: It is missing or of another shape.
    """
    tensor = record.tensors.get(name)
    if tensor is None or tuple(tensor.shape) != shape:
        found = "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
        raise ArtifactError(
            f"The tensor '{name}' of the artifact is {found}; expected shape {shape}. Fit again, "
            "or download it again."
        )
    return tensor
