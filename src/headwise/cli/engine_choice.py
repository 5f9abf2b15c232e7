"""Which engine a command runs on: a model loaded here, or one on a server."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from headwise.cli.models import ModelChoice, load_engine
from headwise.errors import InputError

if TYPE_CHECKING:
    from headwise.engines.base import Engine

EngineKind = Literal["transformers", "openai"]


@dataclass
class EngineLater:
    """An engine that is made when it is first used, so that finished jobs need none.

    Args:
        kind: Where the model runs: here, or on an OpenAI-compatible server.
        choice: The model, and how to load it here.
        base_url: The server's address.
        concurrency: Requests to the server under way at a time.
        quiet: Whether to show no progress.
        load_seconds: How long loading took; 0 where the model was not needed so far.

    Raises:
        InputError: An option is given that the kind of engine does not have.
    """

    kind: EngineKind
    choice: ModelChoice
    base_url: str | None
    concurrency: int | None
    quiet: bool
    load_seconds: float = 0.0

    def __post_init__(self) -> None:
        here = {
            "--revision": self.choice.revision,
            "--dtype": self.choice.dtype,
            "--device": self.choice.device,
        }
        there = {"--base-url": self.base_url, "--concurrency": self.concurrency}
        if self.kind == "openai":
            self._refuse(here, "are the server's business; leave them out with --engine openai")
            if self.choice.model is None:
                raise InputError("--engine openai needs --model ID: its name on the server.")
        else:
            self._refuse(there, "are for --engine openai")

    @property
    def identity(self) -> dict[str, str | None]:
        """What tells models apart, for jobs that are gone on with; a server by a hash."""
        if self.kind == "transformers":
            return {
                "model": self.choice.source,
                "revision": self.choice.revision,
                "dtype": self.choice.dtype,
            }
        from headwise.engines.openai.client import ServerChoice

        return {"model": self.choice.model, "server": ServerChoice(self.base_url).url_hash}

    @cached_property
    def engine(self) -> Engine:
        """The engine."""
        started = time.perf_counter()
        engine = self._made()
        self.load_seconds = time.perf_counter() - started
        return engine

    def _made(self) -> Engine:
        if self.kind == "transformers":
            return load_engine(self.choice, quiet=self.quiet).as_engine
        from headwise.engines.openai import OpenAIEngine

        return OpenAIEngine(
            self.choice.model or "", self.base_url, concurrency=self.concurrency or 8
        )

    @staticmethod
    def _refuse(options: Mapping[str, object], why: str) -> None:
        given = [name for name, value in options.items() if value is not None]
        if given:
            raise InputError(f"{', '.join(given)} {why}.")
