"""Finds an artifact by what a person calls it: a local folder or a Hub id."""

from __future__ import annotations

from pathlib import Path

from headwise.artifacts.folder import read_folder
from headwise.artifacts.hub import download_folder, is_hub_id
from headwise.artifacts.placement import artifact_at
from headwise.artifacts.record import ArtifactRecord
from headwise.errors import ArtifactError, InputError


def read_record(
    name_or_path: str | Path, *, revision: str | None = None, token: str | bool | None = None
) -> ArtifactRecord:
    """Reads an artifact's record.

    Args:
        name_or_path: A local folder where there is one of that name, else a Hub id
            `organisation/name`.
        revision: Branch, tag or commit on the Hub.
        token: Hub token; True or None for the one that is logged in.

    Returns:
        The record.

    Raises:
        ArtifactError: There is no such artifact, or it is damaged or of a newer format.
        InputError: A revision is given for a local folder.
    """
    if artifact_at(Path(name_or_path)) is not None:
        if revision is not None:
            raise InputError(
                f"revision='{revision}' is for artifacts on the Hub, but {name_or_path} is a local "
                "folder. Leave revision out, or rename the folder."
            )
        return read_folder(name_or_path)
    if isinstance(name_or_path, Path) or not is_hub_id(name_or_path):
        raise ArtifactError(
            f"There is no such folder: {name_or_path}. Give the folder an artifact was saved to, "
            "or a Hub id of the form organisation/name."
        )
    folder = download_folder(name_or_path, revision=revision, token=token)
    try:
        return read_folder(folder)
    except ArtifactError as error:
        raise ArtifactError(f"The Hub repository '{name_or_path}': {error}") from error
