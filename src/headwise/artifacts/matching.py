"""Brings an artifact together with the model it was fitted on, and with no other."""

from __future__ import annotations

from dataclasses import asdict

import torch

from headwise.engines.base import Engine, ModelFingerprint
from headwise.errors import ArtifactError, EngineError, InputError


def engine_for(
    base_model: ModelFingerprint,
    engine: Engine | None = None,
    *,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
) -> Engine:
    """An engine that runs an artifact's base model.

    Args:
        base_model: The model the artifact was fitted on.
        engine: A loaded engine; the base model is loaded where it is None.
        device: Where to load the model to; only without an engine.
        dtype: What to load the model as; only without an engine.

    Returns:
        The engine.

    Raises:
        ArtifactError: The model cannot be loaded, or is not the one the artifact was fitted on.
        InputError: An engine is given together with a device or dtype.
    """
    if engine is None:
        engine = _load(base_model, device, dtype)
    elif device is not None or dtype is not None:
        raise InputError(
            "device and dtype say how to load the model, but an engine was given, which has loaded "
            "it already. Leave them out, or give them where the engine is loaded."
        )
    check_fingerprint(base_model, engine.fingerprint)
    return engine


def check_fingerprint(expected: ModelFingerprint, found: ModelFingerprint) -> None:
    """Checks that a model is the one an artifact was fitted on.

    Args:
        expected: The artifact's base model.
        found: The engine's model.

    Raises:
        ArtifactError: They differ; shows both fingerprints and what to do.
    """
    differing = found.difference(expected)
    if not differing:
        return
    theirs, mine = asdict(expected), asdict(found)
    names = ("model_id", "revision", *differing)
    rows = [("", "artifact", "engine"), *((n, str(theirs[n]), str(mine[n])) for n in names)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    table = "\n".join(f"  {n:<{widths[0]}}  {a:<{widths[1]}}  {b}".rstrip() for n, a, b in rows)
    raise ArtifactError(
        "The artifact was fitted on another model than the engine runs, so its heads would mean "
        f"something else. They differ in {', '.join(differing)}:\n{table}\n"
        f"{_advice(expected, differing)}"
    )


def _advice(expected: ModelFingerprint, differing: tuple[str, ...]) -> str:
    wanted = f"'{expected.model_id}'"
    if expected.revision is not None:
        wanted += f" at revision '{expected.revision}'"
    if differing == ("chat_template_hash",):
        return (
            "The weights are the same and the chat template is not: load the tokenizer of "
            f"{wanted}, or fit again with this engine."
        )
    if differing == ("weights_hash",):
        return (
            "The models have one shape and different weights: another revision, a fine-tune, or "
            f"another quantization. Load {wanted} as it was when the artifact was fitted, or fit "
            "again with this engine."
        )
    return f"Load {wanted}, or fit again with this engine."


def _load(
    base_model: ModelFingerprint, device: str | None, dtype: str | torch.dtype | None
) -> Engine:
    # Loading brings in a whole engine, which an artifact that is given one never needs.
    from headwise.engines.load import load

    try:
        return load(base_model.model_id, revision=base_model.revision, device=device, dtype=dtype)
    except EngineError as error:
        raise ArtifactError(
            f"The model that the artifact was fitted on, '{base_model.model_id}', could not be "
            f"loaded: {error} If you have it elsewhere, load it yourself and pass it as engine=."
        ) from error
