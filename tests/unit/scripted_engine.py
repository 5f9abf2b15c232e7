"""A fake engine that answers by a script, for tests of methods that need nothing but answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from headwise.engines.base import ModelFingerprint, Sampling
from headwise.prompts.conversation import Conversation


class ScriptedEngine:
    """Answers each conversation by what a function makes of its text."""

    layout: Any = None

    def __init__(self, script: Callable[[str], str], model_id: str = "scripted") -> None:
        self.script = script
        self.fingerprint = ModelFingerprint(model_id, None, "", "", "", "", "")
        self.batches: list[tuple[list[Conversation], Sampling]] = []
        self.scored: list[tuple[list[Conversation], tuple[str, ...]]] = []

    def generate(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling | None = None,
        steering: object = None,
        *,
        progress: bool = False,
    ) -> list[str]:
        assert steering is None
        self.batches.append((list(conversations), sampling or Sampling()))
        return [self.script(conversation.messages[-1].text) for conversation in conversations]

    def token_logprobs(
        self,
        conversations: Sequence[Conversation],
        candidates: Sequence[str],
        steering: object = None,
        *,
        progress: bool = False,
    ) -> torch.Tensor:
        self.scored.append((list(conversations), tuple(candidates)))
        # The first candidate is the likeliest.
        return -torch.arange(len(candidates), dtype=torch.float64).repeat(len(conversations), 1)

    def refuse(self, *args: object, **options: object) -> Any:
        raise AssertionError("Only answers are needed here.")

    capture = mask_losses = truncate = refuse
