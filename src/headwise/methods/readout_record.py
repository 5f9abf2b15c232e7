"""Reads a `SparseReadout` back from an artifact's tensors, each checked."""

from __future__ import annotations

from torch import Tensor

from headwise.artifacts import ArtifactRecord
from headwise.errors import ArtifactError
from headwise.heads import HeadSet
from headwise.selection.sparse_readout import SparseReadout
from headwise.selection.voting import Voting


def readout_from_tensors(
    record: ArtifactRecord, heads: HeadSet, n_classes: int, voting: Voting, prefix: str = ""
) -> SparseReadout:
    """The readout that `SparseReadout.tensors` wrote.

    Args:
        record: The artifact.
        heads: The readout's heads, in order.
        n_classes: How many classes each centroid table has.
        voting: How the heads vote.
        prefix: What the tensors' names begin with.

    Returns:
        The readout.

    Raises:
        ArtifactError: A tensor is missing or of the wrong shape.
    """
    centroids, centers = [], []
    for number, index in enumerate(heads):
        width = record.layout.head_dim(index)
        centroids.append(named_tensor(record, f"{prefix}centroids.{number}", (n_classes, width)))
        centers.append(named_tensor(record, f"{prefix}center.{number}", (width,)))
    return SparseReadout(heads, tuple(centroids), tuple(centers), voting)


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
