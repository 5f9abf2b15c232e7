"""Puts a finished artifact folder in the place of an older one, so that one of both is whole.

A folder that holds files cannot be replaced in one step, so the old one is first moved aside to a
fixed name beside it. Whoever finds no folder at the path looks under that name.
"""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from pathlib import Path

from headwise.artifacts.files import FILES, remove_artifact, sync_folder
from headwise.errors import ArtifactError


def check_replaceable(target: Path) -> None:
    """Checks that saving to a path destroys nothing but an older artifact.

    Args:
        target: Where an artifact is to go.

    Raises:
        ArtifactError: There is a file, or a folder with anything else in it.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise ArtifactError(f"{target} is a file; expected the path of a folder to save to.")
    others = sorted(entry.name for entry in target.iterdir() if entry.name not in FILES)
    if others:
        shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        raise ArtifactError(
            f"{target} is not empty and holds more than a headwise artifact ({shown}), so it is "
            "left as it is. Save to a new folder."
        )


def put_in_place(finished: Path, target: Path) -> None:
    """Moves a finished folder to its path; what was there is removed.

    Args:
        finished: A folder beside `target`.
        target: A path that `check_replaceable` accepts.

    Raises:
        OSError: It could not be moved; what was at `target` is there still.
    """
    previous = previous_folder(target)
    try:
        if target.exists():
            remove_artifact(previous)
            os.rename(target, previous)
        os.rename(finished, target)
    except BaseException:
        if previous.exists() and not target.exists():
            with suppress(OSError):
                os.rename(previous, target)
        raise
    sync_folder(target.parent)
    remove_artifact(previous)


def previous_folder(path: Path) -> Path:
    """Where the artifact that was at a path stands while another takes its place."""
    path = path.resolve()
    return path.with_name(f".{path.name}.headwise-previous")


def artifact_at(path: Path) -> Path | None:
    """The folder in which the artifact of a path is found.

    Args:
        path: Where an artifact was saved.

    Returns:
        The path itself; the previous artifact where a save was killed between its two moves; None
        where there is neither.
    """
    if path.exists():
        return path
    previous = previous_folder(path)
    if not previous.is_dir():
        return None
    warnings.warn(
        f"Saving to {path} was interrupted; using what was saved there before. Save again to "
        "replace it.",
        stacklevel=2,
    )
    return previous
