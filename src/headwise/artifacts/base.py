"""`Artifact`: what `fit` returns; it saves, loads and goes to the Hub."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

import torch

from headwise.artifacts.card import render_card
from headwise.artifacts.folder import write_folder
from headwise.artifacts.hub import push_record
from headwise.artifacts.matching import engine_for
from headwise.artifacts.record import ArtifactRecord
from headwise.artifacts.source import read_record
from headwise.engines.base import Engine
from headwise.errors import ArtifactError


class Artifact(ABC):
    """A fitted value that can be kept as a folder.

    A subclass is a frozen dataclass that names its `method` and turns itself into an
    `ArtifactRecord` and back; the rest comes from here.
    """

    __slots__ = ()

    method: ClassVar[str]
    """What the folder says it is, such as `"sparse-attention-vectors"`."""

    @abstractmethod
    def to_record(self) -> ArtifactRecord:
        """All that is needed to have this value again."""

    @classmethod
    @abstractmethod
    def from_record(cls, record: ArtifactRecord, engine: Engine) -> Self:
        """The value that `to_record` described.

        Args:
            record: The record, of this class's method.
            engine: An engine that runs the record's base model.

        Returns:
            The value.

        Raises:
            ArtifactError: A parameter or tensor that the method needs is missing or wrong.
        """

    def card(self, name: str | None = None) -> str:
        """The model card, in Markdown.

        Args:
            name: What to call the artifact in the examples of use, such as its Hub id.

        Returns:
            The text of `README.md`.
        """
        return render_card(self.to_record(), name)

    def save_pretrained(self, path: str | Path) -> None:
        """Saves to a folder, wholly or not at all.

        Args:
            path: The folder; made where it is missing, replaced where it is empty or an artifact.

        Raises:
            ArtifactError: The folder holds anything else, or cannot be written. What was there
                before is then whole.
        """
        write_folder(path, self.to_record(), self.card(Path(path).resolve().name))

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool = False,
        revision: str | None = None,
        token: str | bool | None = None,
        commit_message: str = "Upload headwise artifact",
    ) -> str:
        """Uploads to the Hugging Face Hub.

        Args:
            repo_id: Hub id, `organisation/name`; made where it is missing.
            private: Whether a repository that is made is private.
            revision: Branch, made where it is missing; the main branch where it is None.
            token: Hub token; True or None for the one that is logged in.
            commit_message: Summary of the commit.

        Returns:
            Address of the commit.

        Raises:
            ArtifactError: Not allowed, or offline.
        """
        return push_record(
            repo_id,
            self.to_record(),
            self.card(repo_id),
            private=private,
            revision=revision,
            token=token,
            commit_message=commit_message,
        )

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        engine: Engine | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        device: str | None = None,
        dtype: str | torch.dtype | None = None,
    ) -> Self:
        """Loads an artifact of this class.

        Args:
            name_or_path: A local folder, or a Hub id `organisation/name`.
            engine: A loaded engine; the artifact's base model is loaded where it is None.
            revision: Branch, tag or commit of the artifact on the Hub.
            token: Hub token; True or None for the one that is logged in.
            device: Where to load the model to; only without an engine.
            dtype: What to load the model as; only without an engine.

        Returns:
            The artifact.

        Raises:
            ArtifactError: It is missing, damaged, newer, of another method, or for another model.
            InputError: Arguments that exclude each other.
        """
        record = read_record(name_or_path, revision=revision, token=token)
        if record.method != cls.method:
            raise ArtifactError(
                f"{name_or_path} was made by the method '{record.method}', but {cls.__name__} "
                f"reads '{cls.method}'. Load it with headwise.from_pretrained, which finds the "
                "class."
            )
        return cls.from_record(
            record, engine_for(record.base_model, engine, device=device, dtype=dtype)
        )
