"""An artifact as a folder: `headwise.json`, `headwise.safetensors` and `README.md`."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from headwise.artifacts.fields import CONFIG_FILE, Fields
from headwise.artifacts.files import (
    CARD_FILE,
    WEIGHTS_FILE,
    remove_artifact,
    sync_folder,
    write_file,
)
from headwise.artifacts.json_value import parse_json
from headwise.artifacts.placement import artifact_at, check_replaceable, put_in_place
from headwise.artifacts.record import ArtifactRecord, check_format_version
from headwise.errors import ArtifactError

_WAY_OUT = "Fit again or download it again."


def write_folder(path: str | Path, record: ArtifactRecord, card: str) -> None:
    """Saves an artifact: either wholly, or not at all.

    Args:
        path: The folder; made where it is missing, replaced where it is empty or an artifact.
        record: What is saved.
        card: The model card, in Markdown.

    Raises:
        ArtifactError: The record cannot be written, the folder holds anything else, or the disk is
            full or read-only. What was at `path` before is then whole.
    """
    target = Path(path).resolve()
    contents = _contents(record, card)
    finished = target.with_name(f".{target.name}.headwise-{uuid4().hex[:8]}")
    try:
        check_replaceable(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        finished.mkdir()
        for name, content in contents.items():
            write_file(finished / name, content)
        sync_folder(finished)
        put_in_place(finished, target)
    except OSError as error:
        size = sum(len(content) for content in contents.values())
        raise ArtifactError(_cannot_save(target, size, error)) from error
    finally:
        remove_artifact(finished)


def read_folder(path: str | Path) -> ArtifactRecord:
    """Reads what `write_folder` wrote.

    Args:
        path: The folder.

    Returns:
        The record, its tensors bit for bit as they were saved, on the CPU.

    Raises:
        ArtifactError: The folder or a file is missing, damaged, or of a newer format.
    """
    while True:
        before = _state(path)
        try:
            return _read(path)
        except ArtifactError:
            # Files of two saves, read while one replaced the other, only look damaged.
            if _state(path) == before:
                raise


def _state(path: str | Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _read(path: str | Path) -> ArtifactRecord:
    folder = artifact_at(Path(path))
    if folder is None:
        raise ArtifactError(f"There is no folder {path}. Give the folder an artifact was saved to.")
    if not folder.is_dir():
        raise ArtifactError(f"{path} is a file; expected the folder that an artifact was saved to.")
    try:
        document = _read_document(folder)
        weights = _read_file(folder, WEIGHTS_FILE)
    except OSError as error:
        raise ArtifactError(f"{folder} could not be read: {error.strerror or error}.") from error
    expected = Fields.of(document).text("weights_sha256")
    return ArtifactRecord.from_json(document, _tensors(folder, weights, expected))


def _contents(record: ArtifactRecord, card: str) -> dict[str, bytes]:
    weights = _serialised(record.tensors)
    document = record.to_json() | {"weights_sha256": hashlib.sha256(weights).hexdigest()}
    # What cannot be read again must be found out now, while the artifact is still in memory.
    ArtifactRecord.from_json(document, record.tensors)
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return {
        WEIGHTS_FILE: weights,
        CONFIG_FILE: f"{text}\n".encode(),
        # A card may quote text of any origin; one odd character must not cost the artifact.
        CARD_FILE: card.encode("utf-8", errors="replace"),
    }


def _serialised(tensors: Mapping[str, Tensor]) -> bytes:
    try:
        # safetensors refuses views and shared storage; copies have neither.
        copies = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
        return safetensors.torch.save(copies, metadata={"format": "pt"})
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise ArtifactError(
            f"The artifact's tensors cannot be saved as safetensors: {error}"
        ) from error


def _cannot_save(target: Path, size: int, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = f"Free {size / 1024:.0f} KiB of disk space or save elsewhere"
    else:
        advice = "Check the path and its permissions, or save elsewhere"
    return (
        f"The artifact could not be saved to {target}: {error.strerror or error}. {advice}, and "
        "call save_pretrained again. What was there before is unchanged, and the artifact is still "
        "in memory."
    )


def _read_document(folder: Path) -> object:
    content = _read_file(folder, CONFIG_FILE)
    try:
        document = parse_json(content)
    except ValueError as error:
        raise ArtifactError(
            f"{folder / CONFIG_FILE} is not valid JSON: {error}. {_WAY_OUT}"
        ) from error
    check_format_version(document)
    return document


def _read_file(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError as error:
        found = ", ".join(sorted(entry.name for entry in folder.iterdir())[:5]) or "nothing"
        missing = (
            "" if name == CONFIG_FILE else " The weights are missing: the copy is not complete."
        )
        raise ArtifactError(
            f"{folder} is not a whole headwise artifact: it holds {found}, but no {name}.{missing} "
            f"{_WAY_OUT}"
        ) from error


def _tensors(folder: Path, weights: bytes, expected: str) -> dict[str, Tensor]:
    found = hashlib.sha256(weights).hexdigest()
    if found != expected:
        raise ArtifactError(
            f"{folder / WEIGHTS_FILE} is damaged or was exchanged: its SHA-256 is {found}, and "
            f"{CONFIG_FILE} expects {expected}. {_WAY_OUT}"
        )
    try:
        return safetensors.torch.load(weights)
    except SafetensorError as error:
        raise ArtifactError(
            f"{folder / WEIGHTS_FILE} is not a safetensors file: {error}. {_WAY_OUT}"
        ) from error
