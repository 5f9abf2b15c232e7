"""A fake engine that judges responses by a quality written in them, for tests of baselines."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from headwise.engines.base import ModelFingerprint, Sampling, TruncatedText
from headwise.errors import EngineError
from headwise.examples import Preference
from headwise.prompts.conversation import Conversation


def graded(good: float, bad: float, number: int = 0, **more: Any) -> Preference:
    """A pair whose responses say how good they are."""
    return Preference(f"Question {number}?", f"x q={good}", f"y q={bad}", **more)


class JudgingEngine:
    """Says what `q=1.5` in a response is worth, from -1 to 1; of two, the difference.

    Args:
        first_bonus: What being the first of two is worth.
        unreadable: Which questions are answered with no verdict.
        counts_tokens: Whether it can cut texts, which a hosted model cannot.
    """

    layout: Any = None
    fingerprint = ModelFingerprint("judging", None, "", "", "", "", "")

    def __init__(
        self,
        first_bonus: float = 0.0,
        unreadable: Callable[[str], bool] = lambda question: False,
        counts_tokens: bool = True,
    ) -> None:
        self.first_bonus = first_bonus
        self.unreadable = unreadable
        self.counts_tokens = counts_tokens
        self.asked: list[Conversation] = []
        self.samplings: list[Sampling] = []

    def quality(self, question: str) -> float:
        found = [float(number) for number in re.findall(r"q=(-?[\d.]+)", question)]
        return found[0] if len(found) == 1 else found[0] - found[1] + self.first_bonus

    def token_logprobs(
        self,
        conversations: Sequence[Conversation],
        candidates: Sequence[str],
        steering: object = None,
        *,
        progress: bool = False,
    ) -> torch.Tensor:
        assert steering is None
        assert len(candidates) == 2
        self.asked += conversations
        values = [self.quality(one.messages[-1].text) for one in conversations]
        return torch.tensor([[value, 0.0] for value in values], dtype=torch.float64) - 3

    def generate(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling | None = None,
        steering: object = None,
        *,
        progress: bool = False,
    ) -> list[str]:
        assert steering is None
        assert sampling is not None
        self.asked += conversations
        self.samplings.append(sampling)
        before: Counter[Conversation] = Counter()
        texts = []
        for conversation in conversations:
            question = conversation.messages[-1].text
            key = f"{sampling.seed} {before[conversation]} {question}"
            before[conversation] += 1
            chance = np.random.default_rng(zlib.crc32(key.encode())).normal()
            texts.append(self._said(question, self.quality(question), sampling, float(chance)))
        return texts

    def _said(self, question: str, quality: float, sampling: Sampling, chance: float) -> str:
        if self.unreadable(question):
            return "I would rather not say."
        worth = quality + sampling.temperature * chance
        if "Answer A or B" in question:
            return "A" if worth > 0 else "B"
        if "Answer Yes or No" in question:
            return "Yes." if worth > 0 else "No."
        return f"Rating: {min(max(round(5.5 + 4.5 * worth), 1), 10)}"

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        if not self.counts_tokens:
            raise EngineError("A server does not say what its tokens are.")
        kept = text[: 10 * max_tokens]
        return TruncatedText(kept, (len(text) - len(kept)) // 10)

    def refuse(self, *args: object, **options: object) -> Any:
        raise AssertionError("Judging needs neither heads nor masks.")

    capture = mask_losses = refuse
