"""Fair timing: contenders take turns within every repeat, warmed up, the collector switched off.

Ratios of two contenders are taken within a repeat, so that what slows the machine slows both.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from benchmarks.memory import peak_bytes

Role = Literal["headwise", "naive", "floor"]


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Contender:
    """One way of doing a case's work.

    Args:
        name: What reports call it.
        role: `"headwise"`, `"naive"` (the published procedure) or `"floor"` (plain passes).
        run: Does the work once.
        calls: Calls in each repeat, of which the median counts.
        scale: Factor from a call's time to the time of the whole work, where a call does only a
            part of it, or several times it.
        prepare: Run before each call, not timed.
        warm: A shorter call to warm up with and to measure memory on; `run` where None.
        note: What a reader must know of it.
    """

    name: str
    role: Role
    run: Callable[[], object]
    calls: int = 1
    scale: float = 1.0
    prepare: Callable[[], object] = _nothing
    warm: Callable[[], object] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """What was measured of one contender.

    Args:
        name: Its name.
        role: Its role.
        seconds: For each repeat the median of its calls, scaled to the whole work.
        peak_bytes: Memory it needed at its peak, on top of what was there.
        note: What a reader must know of it.
    """

    name: str
    role: Role
    seconds: tuple[float, ...]
    peak_bytes: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Timer:
    """Times contenders against one another.

    Args:
        device: Where the model is; a GPU is waited for before the clock is read.
        repeats: How often everything is measured.
    """

    device: torch.device
    repeats: int

    def measure(self, contenders: Sequence[Contender]) -> tuple[Timing, ...]:
        """Measures contenders that take turns.

        Args:
            contenders: At least one.

        Returns:
            One timing each, in the same order.
        """
        peaks = [self._warm_up(contender) for contender in contenders]
        seconds: list[list[float]] = [[] for _ in contenders]
        for repeat in range(self.repeats):
            for number, value in enumerate(self._one_repeat(contenders, repeat)):
                seconds[number].append(value)
        return tuple(
            Timing(c.name, c.role, tuple(values), peak, c.note)
            for c, values, peak in zip(contenders, seconds, peaks, strict=True)
        )

    def _warm_up(self, contender: Contender) -> int:
        contender.prepare()
        return peak_bytes(contender.warm or contender.run, self.device)

    def _one_repeat(self, contenders: Sequence[Contender], repeat: int) -> list[float]:
        calls: list[list[float]] = [[] for _ in contenders]
        # Whoever comes first finds the caches as the last left them: each is first in turn.
        order = [(repeat + number) % len(contenders) for number in range(len(contenders))]
        with _collector_off():
            for round_ in range(max(contender.calls for contender in contenders)):
                for number in order:
                    if round_ < contenders[number].calls:
                        calls[number].append(self._one_call(contenders[number]))
        return [
            statistics.median(values) * contender.scale
            for values, contender in zip(calls, contenders, strict=True)
        ]

    def _one_call(self, contender: Contender) -> float:
        contender.prepare()
        self._synchronise()
        started = time.perf_counter()
        contender.run()
        self._synchronise()
        return time.perf_counter() - started

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@contextmanager
def _collector_off() -> Iterator[None]:
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
