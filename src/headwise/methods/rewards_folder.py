"""`Rewards` as a folder: an artifact folder a criterion, and a JSON file of their weights."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from headwise.artifacts import ArtifactRecord
from headwise.artifacts.fields import Fields
from headwise.artifacts.files import remove_artifact, sync_folder, write_file
from headwise.artifacts.json_value import parse_json
from headwise.artifacts.source import read_record
from headwise.engines.base import ModelFingerprint
from headwise.errors import ArtifactError
from headwise.methods.reward_model import RewardModel

REWARDS_FILE = "headwise_rewards.json"
_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class RewardsRecord:
    """What a folder of rewards holds.

    Args:
        criteria: The records of its reward models by name, one at least.
        weights: What each counts.
    """

    criteria: Mapping[str, ArtifactRecord]
    weights: Mapping[str, float]

    @property
    def base_model(self) -> ModelFingerprint:
        """The model that they were fitted on."""
        return next(iter(self.criteria.values())).base_model

    @property
    def content_hash(self) -> str:
        """SHA-256 of everything they hold, and of the weights."""
        parts = [(n, self.weights[n], one.content_hash) for n, one in self.criteria.items()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def write_rewards(
    path: str | Path, criteria: Mapping[str, RewardModel], weights: Mapping[str, float]
) -> None:
    """Saves reward models and their weights, wholly or not at all.

    Args:
        path: The folder; made where it is missing, replaced where it was written so before.
        criteria: The reward models by name.
        weights: What each counts.

    Raises:
        ArtifactError: The folder holds anything else, or cannot be written.
    """
    target = Path(path).resolve()
    finished = target.with_name(f".{target.name}.headwise-{uuid4().hex[:8]}")
    listed = [{"name": name, "weight": weights[name]} for name in criteria]
    text = json.dumps({"format_version": _FORMAT_VERSION, "criteria": listed}, indent=2)
    try:
        _check_replaceable(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        finished.mkdir()
        for name, model in criteria.items():
            model.save_pretrained(finished / name)
        write_file(finished / REWARDS_FILE, f"{text}\n".encode())
        sync_folder(finished)
        _put_in_place(finished, target)
    except OSError as error:
        raise ArtifactError(
            f"The rewards could not be saved to {target}: {error.strerror or error}. Check the "
            "path and its permissions, or save elsewhere."
        ) from error
    finally:
        _remove(finished)


def is_rewards_folder(path: str | Path) -> bool:
    """Whether `write_rewards` wrote a folder."""
    return (Path(path) / REWARDS_FILE).is_file()


def read_rewards(path: str | Path) -> RewardsRecord:
    """Reads what `write_rewards` wrote.

    Args:
        path: The folder.

    Returns:
        The records and weights.

    Raises:
        ArtifactError: The folder is missing or damaged, or holds anything but reward models.
    """
    folder = Path(path)
    try:
        document = parse_json((folder / REWARDS_FILE).read_bytes())
    except FileNotFoundError:
        raise ArtifactError(
            f"{folder} holds no {REWARDS_FILE}, so it is no folder that Rewards was saved to. A "
            "single reward model is loaded with headwise.from_pretrained."
        ) from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{folder / REWARDS_FILE} cannot be read: {error}.") from error
    fields = Fields.of(document)
    if fields.integer("format_version", minimum=1) > _FORMAT_VERSION:
        raise ArtifactError(
            f"{folder} was saved by a newer headwise. Update it with: pip install -U headwise"
        )
    criteria: dict[str, ArtifactRecord] = {}
    weights: dict[str, float] = {}
    for entry in fields.items("criteria"):
        name = entry.text("name")
        if not name or name != Path(name).name or name in criteria:
            raise ArtifactError(f"{folder / REWARDS_FILE}: {name!r} is no name of a criterion.")
        criteria[name] = read_record(folder / name)
        if criteria[name].method != RewardModel.method:
            raise ArtifactError(
                f"{folder / name} was made by the method '{criteria[name].method}', so it is no "
                "criterion; expected a reward model."
            )
        weights[name] = entry.number("weight")
    if not criteria:
        raise ArtifactError(f"{folder / REWARDS_FILE} names no criterion.")
    return RewardsRecord(criteria, weights)


def _check_replaceable(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise ArtifactError(f"{target} is a file; expected the path of a folder to save to.")
    if any(target.iterdir()) and not (target / REWARDS_FILE).is_file():
        raise ArtifactError(
            f"{target} is not empty and holds no {REWARDS_FILE}, so it is left as it is. Save to a "
            "new folder."
        )


def _put_in_place(finished: Path, target: Path) -> None:
    if not target.exists():
        os.rename(finished, target)
        return
    previous = target.with_name(f".{target.name}.headwise-{uuid4().hex[:8]}")
    os.rename(target, previous)
    try:
        os.rename(finished, target)
    except OSError:
        os.rename(previous, target)
        raise
    _remove(previous)


def _remove(folder: Path) -> None:
    """Removes the files of a folder of rewards, and it itself where it holds nothing else."""
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.is_dir():
            remove_artifact(entry)
    (folder / REWARDS_FILE).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
