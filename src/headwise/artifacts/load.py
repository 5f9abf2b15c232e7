"""Loads any artifact, whatever method made it."""

from __future__ import annotations

from pathlib import Path

import torch

from headwise.artifacts.base import Artifact
from headwise.artifacts.matching import engine_for
from headwise.artifacts.registry import artifact_class
from headwise.artifacts.source import read_record
from headwise.engines.base import Engine


def from_pretrained(
    name_or_path: str | Path,
    *,
    engine: Engine | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
) -> Artifact:
    """Loads an artifact as the class that made it.

    Args:
        name_or_path: A local folder, or a Hub id `organisation/name`.
        engine: A loaded engine; the artifact's base model is loaded where it is None.
        revision: Branch, tag or commit of the artifact on the Hub.
        token: Hub token; True or None for the one that is logged in.
        device: Where to load the model to; only without an engine.
        dtype: What to load the model as; only without an engine.

    Returns:
        The artifact, such as a `SparseAttentionClassifier` or a `RewardModel`.

    Raises:
        ArtifactError: It is missing, damaged, newer, of an unknown method, or for another model.
        InputError: Arguments that exclude each other.
    """
    record = read_record(name_or_path, revision=revision, token=token)
    kind = artifact_class(record.method)
    model = engine_for(record.base_model, engine, device=device, dtype=dtype)
    return kind.from_record(record, model)
