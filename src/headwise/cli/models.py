"""Loads the language model of a command, and watches which texts it had to cut."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from headwise.cli.console import waiting
from headwise.engines.watched import WatchedEngine
from headwise.errors import ArtifactError, InputError

if TYPE_CHECKING:
    from headwise.artifacts import ArtifactRecord
    from headwise.engines.base import Engine
    from headwise.methods.rewards_folder import RewardsRecord

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model to load and how, as the options say.

    Args:
        model: Hub id or folder; None for the embedded model, or the one an artifact names.
        revision: Commit, branch or tag.
        dtype: What to load it as.
        device: Where to load it to.
    """

    model: str | None
    revision: str | None
    dtype: str | None
    device: str | None

    @property
    def source(self) -> str | None:
        """The model; a folder as a whole path, so that it is found from anywhere later."""
        folder = self._folder
        return self.model if folder is None else str(folder.resolve())

    @property
    def is_on_hub(self) -> bool:
        """Whether the model comes from the Hub: it is neither a folder nor one that ships."""
        return self.model not in (None, "embedded", "embedded-vision") and self._folder is None

    @property
    def _folder(self) -> Path | None:
        path = None if self.model is None else Path(self.model).expanduser()
        return path if path is not None and path.is_dir() else None


def load_engine(choice: ModelChoice, *, quiet: bool) -> WatchedEngine:
    """Loads a model to fit on.

    Args:
        choice: Which one.
        quiet: Whether to show no progress.

    Returns:
        The engine.

    Raises:
        InputError: The device or dtype is none that there is, or a revision is given of a model
            that is not on the Hub.
        EngineError: The model could not be found or loaded.
    """
    if choice.revision is not None and not choice.is_on_hub:
        raise InputError(
            f"--revision {choice.revision} is for models on the Hub; {choice.model or 'embedded'} "
            "is not. Leave it out."
        )
    with waiting(f"Loading {choice.model or 'the embedded model'} ...", quiet=quiet):
        _silence_transformers(quiet)
        _check_device(choice.device)
        from headwise.engines.load import load

        return WatchedEngine(
            load(choice.source, revision=choice.revision, dtype=choice.dtype, device=choice.device)
        )


def load_engine_of(
    record: ArtifactRecord | RewardsRecord, choice: ModelChoice, *, quiet: bool
) -> WatchedEngine:
    """Loads the model that an artifact was fitted on.

    Args:
        record: The artifact, or several criteria's.
        choice: Where the model is now, where that is not as the artifact remembers it.
        quiet: Whether to show no progress.

    Returns:
        The engine, which is checked to run that model.

    Raises:
        InputError: The device or dtype is none that there is.
        ArtifactError: The model could not be loaded, or is another one.
    """
    from headwise.artifacts.matching import engine_for

    if choice.model is not None or choice.revision is not None:
        named = replace(choice, model=choice.model or record.base_model.model_id)
        found = load_engine(named, quiet=quiet)
        engine_for(record.base_model, found.as_engine)
        return found
    with waiting(f"Loading {record.base_model.model_id} ...", quiet=quiet):
        _silence_transformers(quiet)
        _check_device(choice.device)
        try:
            return WatchedEngine(
                engine_for(record.base_model, device=choice.device, dtype=choice.dtype)
            )
        except ArtifactError as error:
            error.add_note("On the command line: --model PATH says where the model is now.")
            raise


@dataclass
class LoadedLater(Generic[A]):
    """An artifact whose model is loaded when it is first used, so that finished jobs need none.

    Args:
        make: Makes it from its engine.
        record: What it is made from.
        choice: Where its model is.
        quiet: Whether to show no progress.
        load_seconds: How long loading took; 0 where the model was not needed so far.
    """

    make: Callable[[Engine], A]
    record: ArtifactRecord | RewardsRecord
    choice: ModelChoice
    quiet: bool
    load_seconds: float = 0.0

    @cached_property
    def engine(self) -> WatchedEngine:
        """The model it runs on."""
        started = time.perf_counter()
        engine = load_engine_of(self.record, self.choice, quiet=self.quiet)
        self.load_seconds = time.perf_counter() - started
        return engine

    @cached_property
    def value(self) -> A:
        """The artifact."""
        return self.make(self.engine.as_engine)


def _silence_transformers(quiet: bool) -> None:
    from huggingface_hub.utils.tqdm import enable_progress_bars
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # That hides downloads as well, which may take minutes and should be seen.
    if not quiet and sys.stderr.isatty():
        enable_progress_bars()


def _check_device(device: str | None) -> None:
    if device is None or device == "auto":
        return
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"The device {device!r} cannot be used here: {str(error).splitlines()[0]} Expected "
            "cpu, cuda, cuda:1 or auto."
        ) from error
