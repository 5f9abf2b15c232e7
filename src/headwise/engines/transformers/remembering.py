"""An engine that runs each prompt once, for comparisons that ask the same of it again and again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from headwise.engines.activation_cache import ActivationCache, capture_once, conversation_key
from headwise.engines.transformers.engine import TransformersEngine
from headwise.engines.transformers.shelf import Shelf
from headwise.heads import (
    HeadActivations,
    HeadSet,
    Steering,
    Steerings,
    in_common,
    steering_of_each,
)
from headwise.prompts.conversation import Conversation

_MOST_LOGPROBS = 100_000
_Asked = tuple[str, tuple[str, ...], Steering | None]


@dataclass
class _Cost:
    """What prompts took that were run, and would have taken that were not."""

    seconds: float = 0.0
    n_run: int = 0
    spared: float = 0.0

    def add(self, seconds: float, n_run: int, n_kept: int) -> None:
        self.seconds += seconds if n_run else 0.0
        self.n_run += n_run
        self.spared += n_kept * self.seconds / max(1, self.n_run)


class RememberingEngine(TransformersEngine):
    """A transformers engine that remembers the head outputs and log-probabilities of prompts.

    It is the engine that it is made of, with the same model, and gives the same within float noise:
    a prompt may run beside others than it would have. What it remembers it forgets when the weights
    change, as far as the engine notices (`TransformersEngine.forget_prefixes`), so whoever changes
    them does so through this engine.

    Args:
        engine: The engine; its model stays the same one.
        most_bytes: Memory that head outputs may take; those used longest ago go first. A prompt of
            the embedded model takes 69 kB.
    """

    def __init__(self, engine: TransformersEngine, most_bytes: int = 512 * 2**20) -> None:
        # Not super().__init__: heads are found and verified already, and nothing is kept twice.
        self.__dict__.update(engine.__dict__)
        self._within = engine
        self._heads = ActivationCache(most_bytes)
        self._logprobs: Shelf[_Asked, Tensor] = Shelf(_MOST_LOGPROBS, lambda row: 1)
        self._captured, self._scored = _Cost(), _Cost()

    @property
    def spared_seconds(self) -> float:
        """What the prompts would have taken that were remembered, as far as that can be told."""
        return self._captured.spared + self._scored.spared

    def capture(
        self,
        conversations: Sequence[Conversation],
        heads: HeadSet | None = None,
        *,
        progress: bool = False,
    ) -> HeadActivations:
        """Last-token head outputs; see `Engine.capture`."""
        self._forget_if_trained()
        keys = {conversation_key(conversation) for conversation in conversations}
        n_run = sum(self._heads.get(key) is None for key in keys)
        started = time.perf_counter()
        found = capture_once(self._within, conversations, heads, self._heads, progress=progress)
        self._captured.add(time.perf_counter() - started, n_run, len(conversations) - n_run)
        return found

    def token_logprobs(
        self,
        conversations: Sequence[Conversation],
        candidates: Sequence[str],
        steering: Steerings = None,
        *,
        progress: bool = False,
    ) -> Tensor:
        """Log-probability of each candidate continuation; see `Engine.token_logprobs`."""
        self._forget_if_trained()
        # Steering counts by identity; as part of a key it lives on, so that no other gets its id.
        each = steering_of_each(steering, len(conversations))
        asked = [
            (conversation_key(one), tuple(candidates), own)
            for one, own in zip(conversations, each, strict=True)
        ]
        rows = {key: row for key in asked if (row := self._logprobs.get(key)) is not None}
        missing = {
            key: one for key, one in zip(asked, conversations, strict=True) if key not in rows
        }
        started = time.perf_counter()
        if missing or not asked:
            found = self._within.token_logprobs(
                list(missing.values()),
                candidates,
                in_common([own for *_, own in missing]),
                progress=progress,
            )
            for key, row in zip(missing, found, strict=True):
                rows[key] = row.clone()
                self._logprobs.put(key, rows[key])
            self._logprobs.trim(least=0)
        self._scored.add(time.perf_counter() - started, len(missing), len(asked) - len(missing))
        return torch.stack([rows[key] for key in asked]) if asked else found

    def forget_prefixes(self) -> None:
        """Frees everything that is kept from one call to the next."""
        super().forget_prefixes()
        self._heads.clear()
        self._logprobs.clear()
