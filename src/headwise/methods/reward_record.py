"""A reward model's parts to and from an artifact's tensors and parameters."""

from __future__ import annotations

from torch import Tensor

from headwise.artifacts import ArtifactRecord
from headwise.artifacts.fields import Fields
from headwise.errors import ArtifactError
from headwise.heads import HeadIndex, HeadSet, Positions, Steering
from headwise.methods.readout_record import named_tensor
from headwise.methods.reward_readouts import ReadoutWeights
from headwise.selection.directions import DirectionReadout


def reward_heads(sparse: DirectionReadout | None, steering: Steering | None) -> HeadSet:
    """The sparse heads, then those that are only steered."""
    indices: list[HeadIndex] = []
    scores: list[float] = []
    for heads in (sparse.heads if sparse else None, steering.heads if steering else None):
        if heads is None:
            continue
        for index, score in zip(heads.indices, heads.scores, strict=True):
            if index not in indices:
                indices.append(index)
                scores.append(score)
    return HeadSet(tuple(indices), tuple(scores))


def steered_pairs(steering: Steering | None) -> tuple[tuple[HeadIndex, float], ...]:
    """The steered heads with their scores; empty without steering."""
    if steering is None:
        return ()
    return tuple(zip(steering.heads.indices, steering.heads.scores, strict=True))


def reward_tensors(sparse: DirectionReadout | None, steering: Steering | None) -> dict[str, Tensor]:
    """The learnt numbers by name."""
    named = {}
    if sparse is not None:
        named["sparse.offsets"] = sparse.offsets
        for number, direction in enumerate(sparse.directions):
            named[f"sparse.direction.{number}"] = direction
    for number, vector in enumerate(steering.vectors if steering else ()):
        named[f"steering.vector.{number}"] = vector
    return named


def sparse_from_record(record: ArtifactRecord) -> DirectionReadout | None:
    """The sparse heads of a saved reward model; None where it has none."""
    count = Fields(record.parameters, "parameters").integer("n_sparse_heads")
    if count == 0:
        return None
    if count > len(record.heads):
        raise ArtifactError(
            f"headwise.json: 'parameters.n_sparse_heads' is {count}, but there are "
            f"{len(record.heads)} heads. Fit again, or download it again."
        )
    heads = record.heads.top(count)
    directions = tuple(
        named_tensor(record, f"sparse.direction.{number}", (record.layout.head_dim(index),))
        for number, index in enumerate(heads)
    )
    return DirectionReadout(heads, directions, named_tensor(record, "sparse.offsets", (count,)))


def steering_from_record(record: ArtifactRecord) -> Steering | None:
    """The steering of a saved reward model, which may have no heads; None where it is not used."""
    listed = Fields(record.parameters, "parameters").items("steered_heads")
    indices = tuple(HeadIndex(item.integer("layer"), item.integer("head")) for item in listed)
    if weights_from_record(record).steered == 0:
        return None
    unknown = [str(index) for index in indices if index not in record.heads]
    if unknown:
        raise ArtifactError(
            f"headwise.json: the steered head {unknown[0]} is not among the artifact's heads."
        )
    vectors = tuple(
        named_tensor(record, f"steering.vector.{number}", (record.layout.head_dim(index),))
        for number, index in enumerate(indices)
    )
    positions: Positions = (
        "generated" if record.parameters.get("steered_positions") == "generated" else "prompt"
    )
    heads = HeadSet(indices, tuple(item.number("score") for item in listed))
    return Steering(heads, vectors, positions=positions)


def weights_from_record(record: ArtifactRecord) -> ReadoutWeights:
    """How a saved reward model puts its readouts together."""
    fields = Fields(record.parameters, "parameters").fields("weights")
    return ReadoutWeights(
        sparse=fields.number("sparse"),
        steered=fields.number("steered"),
        sparse_offset=fields.number("sparse_offset"),
        steered_offset=fields.number("steered_offset"),
    )
