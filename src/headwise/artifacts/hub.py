"""Artifacts on the Hugging Face Hub: up and down, nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from headwise.artifacts.files import FILES
from headwise.artifacts.folder import write_folder
from headwise.artifacts.record import ArtifactRecord
from headwise.errors import ArtifactError


def is_hub_id(name: str) -> bool:
    """Whether a name has the form `organisation/name` of a Hub repository."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return name.count("/") == 1


def download_folder(repo_id: str, *, revision: str | None, token: str | bool | None) -> Path:
    """Fetches an artifact's three files.

    Args:
        repo_id: Hub id, `organisation/name`.
        revision: Branch, tag or commit; the main branch where it is None.
        token: Hub token; True or None for the one that is logged in.

    Returns:
        The folder in the Hub's cache that holds them.

    Raises:
        ArtifactError: Not found, not allowed, or offline.
    """
    try:
        folder = snapshot_download(
            repo_id, revision=revision, token=token, allow_patterns=list(FILES)
        )
    # The Hub library's errors share no base class, and its HTTP client differs between versions.
    except Exception as error:
        raise ArtifactError(
            f"The artifact '{repo_id}'{_at(revision)} could not be downloaded: {_reason(error)} "
            f"(There is no local folder '{repo_id}' either.)"
        ) from error
    return Path(folder)


def push_record(
    repo_id: str,
    record: ArtifactRecord,
    card: str,
    *,
    private: bool,
    revision: str | None,
    token: str | bool | None,
    commit_message: str,
) -> str:
    """Uploads an artifact as one commit; makes the repository where it is missing.

    Args:
        repo_id: Hub id, `organisation/name`.
        record: What is uploaded.
        card: The model card; it replaces the one that is there.
        private: Whether a repository that is made is private.
        revision: Branch, made where it is missing; the main branch where it is None.
        token: Hub token; True or None for the one that is logged in.
        commit_message: Summary of the commit.

    Returns:
        Address of the commit.

    Raises:
        ArtifactError: Not allowed, or offline.
    """
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "artifact"
        write_folder(folder, record, card)
        try:
            api = HfApi(token=token)
            api.create_repo(repo_id, private=private, exist_ok=True)
            if revision is not None:
                api.create_branch(repo_id, branch=revision, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repo_id,
                folder_path=folder,
                revision=revision,
                commit_message=commit_message,
            )
        # See download_folder.
        except Exception as error:
            raise ArtifactError(
                f"The artifact could not be pushed to '{repo_id}'{_at(revision)}: {_reason(error)} "
                "The artifact is still in memory; keep it with save_pretrained."
            ) from error
    return str(commit.commit_url)


def _at(revision: str | None) -> str:
    return "" if revision is None else f" at revision '{revision}'"


def _reason(error: Exception) -> str:
    if isinstance(error, GatedRepoError):
        return "access to it is restricted; ask for it on its page, then log in: hf auth login."
    if isinstance(error, RepositoryNotFoundError):
        return (
            "there is no such repository, or it is private; check the name, or log in: "
            "hf auth login."
        )
    if isinstance(error, RevisionNotFoundError):
        return "the repository has no such revision."
    if isinstance(error, LocalEntryNotFoundError | OfflineModeIsEnabled):
        return (
            "the Hub cannot be reached and the artifact is not in the cache; check the network and "
            "HF_HUB_OFFLINE."
        )
    summary = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {summary}."
