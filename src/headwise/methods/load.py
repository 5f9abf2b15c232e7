"""Loads whatever was fitted and saved: an artifact of any method, or `Rewards` of several."""

from __future__ import annotations

from pathlib import Path

import torch

from headwise.artifacts import Artifact, ArtifactRecord
from headwise.artifacts import from_pretrained as artifact_from_pretrained
from headwise.artifacts.source import read_record
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.methods.reward_model import RewardModel
from headwise.methods.rewards import Rewards
from headwise.methods.rewards_folder import RewardsRecord, is_rewards_folder, read_rewards


def from_pretrained(
    name_or_path: str | Path,
    *,
    engine: Engine | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
) -> Artifact | Rewards:
    """Loads what was fitted as the class that made it.

    Args:
        name_or_path: A local folder, or a Hub id `organisation/name` of an artifact.
        engine: A loaded engine; the base model is loaded where it is None.
        revision: Branch, tag or commit of the artifact on the Hub.
        token: Hub token; True or None for the one that is logged in.
        device: Where to load the model to; only without an engine.
        dtype: What to load the model as; only without an engine.

    Returns:
        The artifact, such as a `SparseAttentionClassifier` or a `RewardModel`; `Rewards` where the
        folder is of several criteria.

    Raises:
        ArtifactError: It is missing, damaged, newer, of an unknown method, or for another model.
        InputError: Arguments that exclude each other.
    """
    if is_rewards_folder(name_or_path):
        _check_local(name_or_path, revision)
        return Rewards.from_pretrained(name_or_path, engine=engine, device=device, dtype=dtype)
    return artifact_from_pretrained(
        name_or_path, engine=engine, revision=revision, token=token, device=device, dtype=dtype
    )


def read_saved(name_or_path: str | Path) -> ArtifactRecord | RewardsRecord:
    """Reads what is saved, without its model.

    Args:
        name_or_path: As for `from_pretrained`.

    Returns:
        The record of an artifact, or the records of several criteria.

    Raises:
        ArtifactError: As for `from_pretrained`.
    """
    if is_rewards_folder(name_or_path):
        return read_rewards(name_or_path)
    return read_record(name_or_path)


def reward_of(record: ArtifactRecord | RewardsRecord, engine: Engine) -> RewardModel | Rewards:
    """The reward that a record describes.

    Args:
        record: Of one reward model, or of several criteria.
        engine: An engine that runs their model.

    Returns:
        The reward.

    Raises:
        ArtifactError: A part is missing or wrong, or was fitted on another model.
    """
    if isinstance(record, RewardsRecord):
        return Rewards.from_record(record, engine)
    return RewardModel.from_record(record, engine)


def compares(record: ArtifactRecord | RewardsRecord) -> bool:
    """Whether a reward's record is of one that compares responses, by any criterion."""
    records = record.criteria.values() if isinstance(record, RewardsRecord) else (record,)
    return any(one.prompt["form"] == "ranked" for one in records)


def _check_local(name_or_path: str | Path, revision: str | None) -> None:
    if revision is not None:
        raise InputError(
            f"revision='{revision}' is for artifacts on the Hub, but {name_or_path} is a local "
            "folder. Leave revision out, or rename the folder."
        )
