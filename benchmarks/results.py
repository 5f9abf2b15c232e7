"""What a run of the speed benchmark found: nouns, written as JSON and read back."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from benchmarks.timing import Contender, Timer, Timing

Kind = Literal["speedup", "cost"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A ratio that a case reports.

    Args:
        of: The contender it is about.
        against: The contender it is compared with.
        kind: `"speedup"` is how many times faster `of` is, `"cost"` how many times the time of
            `against` it takes.
        target: The least speed-up, or the highest cost, that is wanted; None where none is.
    """

    of: str
    against: str
    kind: Kind
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """A comparison, measured.

    Args:
        of: See `Comparison`.
        against: See `Comparison`.
        kind: See `Comparison`.
        target: See `Comparison`.
        median: The median over repeats.
        low: The lowest of all repeats.
        high: The highest of all repeats.
    """

    of: str
    against: str
    kind: Kind
    target: float | None
    median: float
    low: float
    high: float

    @property
    def is_met(self) -> bool | None:
        """Whether the median reaches the target; None without one."""
        if self.target is None:
            return None
        return self.median >= self.target if self.kind == "speedup" else self.median <= self.target


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold for the timings to compare like with like.

    Args:
        name: What is compared.
        value: The difference found.
        limit: The largest that is allowed.
    """

    name: str
    value: float
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the difference is within the limit."""
        return self.value <= self.limit


def _no_checks() -> tuple[Check, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is measured.

    Args:
        name: Short and stable, such as `"search-128"`.
        title: A line for people.
        setting: What exactly is done, in a sentence or two.
        contenders: The ways of doing it.
        comparisons: The ratios to report.
        checks: Compares the contenders' results, after the timing.
    """

    name: str
    title: str
    setting: str
    contenders: tuple[Contender, ...]
    comparisons: tuple[Comparison, ...]
    checks: Callable[[], tuple[Check, ...]] = _no_checks

    def without_targets(self) -> Case:
        """The same case where its targets do not apply."""
        return replace(self, comparisons=tuple(replace(c, target=None) for c in self.comparisons))

    def run(self, timer: Timer) -> CaseResult:
        """Measures the case."""
        timings = timer.measure(self.contenders)
        ratios = tuple(ratio_of(comparison, timings) for comparison in self.comparisons)
        return CaseResult(
            self.name, self.title, self.setting, tuple(timings), ratios, self.checks()
        )


def ratio_of(comparison: Comparison, timings: Sequence[Timing]) -> Ratio:
    """The ratio of two contenders, taken within each repeat.

    Args:
        comparison: Which ratio.
        timings: Of all contenders of the case.

    Returns:
        Its median and spread.
    """
    seconds = {timing.name: timing.seconds for timing in timings}
    pairs = zip(seconds[comparison.of], seconds[comparison.against], strict=True)
    values = [
        theirs / ours if comparison.kind == "speedup" else ours / theirs for ours, theirs in pairs
    ]
    return Ratio(
        **asdict(comparison), median=statistics.median(values), low=min(values), high=max(values)
    )


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What was found of one case; see `Case`."""

    name: str
    title: str
    setting: str
    timings: tuple[Timing, ...]
    ratios: tuple[Ratio, ...]
    checks: tuple[Check, ...] = ()

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> CaseResult:
        """Reads what `asdict` wrote."""
        return cls(
            name=row["name"],
            title=row["title"],
            setting=row["setting"],
            timings=tuple(Timing(**{**t, "seconds": tuple(t["seconds"])}) for t in row["timings"]),
            ratios=tuple(Ratio(**ratio) for ratio in row["ratios"]),
            checks=tuple(Check(**check) for check in row["checks"]),
        )


@dataclass(frozen=True, slots=True)
class SearchRun:
    """One whole head search.

    Args:
        name: Which search.
        seconds: How long it took.
        held_out_loss: Loss on held-out prompts with the heads it found; they chose among masks.
        test_loss: The same on prompts that nothing was chosen by.
        n_heads: How many heads it found.
        measured: False where the time was worked out from a part.
        note: What a reader must know of it.
    """

    name: str
    seconds: float
    held_out_loss: float | None
    test_loss: float | None
    n_heads: int | None
    measured: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelResult:
    """Everything measured on one model.

    Args:
        model: The model, its dtype and where it ran.
        cases: The cases.
        whole_search: Whole head searches, the published one first; empty where not asked for.
    """

    model: str
    cases: tuple[CaseResult, ...] = ()
    whole_search: tuple[SearchRun, ...] = ()

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> ModelResult:
        """Reads what `asdict` wrote."""
        return cls(
            model=row["model"],
            cases=tuple(CaseResult.from_json(case) for case in row["cases"]),
            whole_search=tuple(SearchRun(**run) for run in row["whole_search"]),
        )


@dataclass(frozen=True, slots=True)
class SpeedReport:
    """One run of the speed benchmark.

    Args:
        command: The command line that was given.
        started: When, in UTC, ISO 8601.
        seed: Seed of masks and prompts.
        repeats: Repeats of every timing.
        quick: Whether sizes were cut down, so that the figures mean nothing.
        took_seconds: How long the run has taken so far.
        machine: Facts of the machine.
        versions: Versions of packages.
        models: The results.
    """

    command: str
    started: str
    seed: int
    repeats: int
    quick: bool
    took_seconds: float = 0.0
    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    models: tuple[ModelResult, ...] = ()

    def write(self, path: Path) -> None:
        """Writes the report as JSON; whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)

    @classmethod
    def read(cls, path: Path) -> SpeedReport:
        """Reads a report that `write` wrote."""
        row = json.loads(path.read_text(encoding="utf-8"))
        models = tuple(ModelResult.from_json(model) for model in row.pop("models"))
        return cls(**row, models=models)
