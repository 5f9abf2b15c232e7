"""A task vector's parts to and from an artifact's tensors and parameters."""

from __future__ import annotations

from dataclasses import asdict
from typing import get_args

from torch import Tensor

from headwise.artifacts import ArtifactRecord
from headwise.artifacts.fields import Fields
from headwise.artifacts.json_value import JSON
from headwise.errors import ArtifactError, InputError
from headwise.heads import HeadVectors, Operation, Positions, Steering
from headwise.methods.readout_record import named_tensor
from headwise.prompts.in_context import InContextPrompt, Style


def steering_json(steering: Steering) -> dict[str, JSON]:
    """How heads are steered; the heads are listed as steered for those who draw them."""
    listed: list[JSON] = [{"layer": index.layer, "head": index.head} for index in steering.heads]
    return {
        "operation": steering.operation,
        "positions": steering.positions,
        "scale": steering.scale,
        "n_sparse_heads": 0,
        "steered_heads": listed,
    }


def task_tensors(steering: Steering, zero_shot: HeadVectors | None) -> dict[str, Tensor]:
    """The learnt numbers by name."""
    named = {f"vector.{number}": vector for number, vector in enumerate(steering.vectors)}
    if zero_shot is not None:
        for entry, value in zip(zero_shot.layout.layers, zero_shot.values, strict=True):
            named[f"zero_shot.{entry.layer}"] = value
    return named


def steering_from_record(record: ArtifactRecord) -> Steering:
    """The steering of a saved task vector.

    Raises:
        ArtifactError: A part is missing or wrong; names it.
    """
    fields = Fields(record.parameters, "parameters")
    operation: Operation = "add" if _one_of(fields, "operation", Operation) == "add" else "replace"
    positions: Positions = (
        "generated" if _one_of(fields, "positions", Positions) == "generated" else "prompt"
    )
    vectors = tuple(
        named_tensor(record, f"vector.{number}", (record.layout.head_dim(index),))
        for number, index in enumerate(record.heads)
    )
    try:
        return Steering(record.heads, vectors, operation, positions, fields.number("scale"))
    except InputError as error:
        raise ArtifactError(f"headwise.json: 'parameters' is wrong. {error}") from error


def zero_shot_from_record(record: ArtifactRecord) -> HeadVectors:
    """The mean zero-shot outputs of a saved task vector.

    Raises:
        ArtifactError: A tensor is missing or of another shape.
    """
    values = tuple(
        named_tensor(record, f"zero_shot.{entry.layer}", (entry.n_heads, entry.head_dim))
        for entry in record.layout.layers
    )
    return HeadVectors(record.layout, values)


def prompt_json(prompt: InContextPrompt) -> dict[str, JSON]:
    """The prompt's form, by name."""
    return asdict(prompt)


def prompt_from_record(record: ArtifactRecord) -> InContextPrompt:
    """The prompt of a saved task vector.

    Raises:
        ArtifactError: A part is missing or wrong; names it.
    """
    fields = Fields(record.prompt, "prompt")
    style: Style = "chat" if _one_of(fields, "style", Style) == "chat" else "completion"
    return InContextPrompt(
        style=style,
        input_prefix=fields.text("input_prefix"),
        target_prefix=fields.text("target_prefix"),
        instruction=fields.optional_text("instruction"),
    )


def _one_of(fields: Fields, name: str, literal: object) -> str:
    value = fields.text(name)
    if value not in get_args(literal):
        known = " or ".join(repr(choice) for choice in get_args(literal))
        raise ArtifactError(
            f"headwise.json: the field '{fields.name_of(name)}' is {value!r}; expected {known}. "
            "Fit again, or download it again."
        )
    return value
