"""What all measurements on pictures share."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import headwise
from benchmarks.easy_vqa import EasyVqa
from benchmarks.task_results import Ledger, Measured
from headwise.prompts.conversation import Conversation


@dataclass(frozen=True, slots=True, eq=False)
class VisionRun:
    """The model, the data and where measurements are written down.

    Args:
        engine: The model.
        ledger: Where they are written down.
        data: easy-VQA.
        items: Test items of each measurement.
    """

    engine: headwise.TransformersEngine
    ledger: Ledger
    data: EasyVqa
    items: int

    def tokens(self, prompts: Sequence[Conversation]) -> float:
        """Mean tokens of some prompts, pictures included."""
        return float(np.mean(self.engine.count_tokens(prompts)))

    def add(self, row: Measured) -> None:
        """Writes a measurement down and shows it."""
        self.ledger.add(row)
        print(row, file=sys.stderr, flush=True)

    def likeliest(self, prompts: Sequence[Conversation], names: Sequence[str]) -> list[str]:
        """The likeliest of some answers to each prompt, written with a capital or without."""
        found = self.engine.token_logprobs(prompts, [*names, *(n.capitalize() for n in names)])
        best = found.view(len(prompts), 2, len(names)).logsumexp(dim=1)
        return [names[place] for place in best.argmax(dim=1).tolist()]


def is_same(given: str | None, wanted: str | None) -> bool:
    """Whether two answers are the same but for case, blanks around and a full stop."""
    return (given or "").strip().rstrip(".").casefold() == (wanted or "").casefold()


def each_right(given: Sequence[str | None], wanted: Sequence[str | None]) -> tuple[bool, ...]:
    """Which answers are the wanted ones; see `is_same`."""
    return tuple(is_same(one, other) for one, other in zip(given, wanted, strict=True))


def share_right(given: Sequence[str | None], wanted: Sequence[str | None]) -> float:
    """Share of answers that are the wanted ones; see `is_same`."""
    return float(np.mean(each_right(given, wanted)))


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._started
