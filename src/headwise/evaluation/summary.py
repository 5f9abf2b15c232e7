"""What results say: each method's figures with intervals, and which differences are real."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from headwise.engines.base import ModelFingerprint
from headwise.errors import InputError
from headwise.evaluation.calibration import Calibration
from headwise.evaluation.comparisons import PairedTest, holm, paired_test
from headwise.evaluation.contenders import Role
from headwise.evaluation.figures import class_figures, run_calibration
from headwise.evaluation.intervals import Array, Design, Interval, mean_interval
from headwise.evaluation.items import Header, Task
from headwise.evaluation.results import BenchResult, ItemRecord, OfficialFigure, Run

MAIN_FIGURE: Mapping[Task, str] = {
    "rewards": "pair accuracy",
    "classes": "accuracy",
    "answers": "score",
}


@dataclass(frozen=True, slots=True)
class MethodSummary:
    """One method with one number of shots.

    Args:
        method: Its name.
        role: Whether it is one of headwise's methods or a baseline.
        shots: Support examples, of each class where there are classes; 0 where it does not learn.
        n_seeds: Seeds that it ran with.
        figures: Each figure by its name, the main one first.
        official: The benchmark's own figures, its headline first.
        calibration: Of its probabilities; None where it gives none.
        unread: The share of questions without an answer that could be read; None for rewards.
        fit_seconds: Of one fit, the mean.
        item_seconds: Of one item, the mean.
        item_tokens: Read and written for one item, support included; None where not counted.
    """

    method: str
    role: Role
    shots: int
    n_seeds: int
    figures: Mapping[str, Interval]
    official: tuple[OfficialFigure, ...]
    calibration: Calibration | None
    unread: float | None
    fit_seconds: float
    item_seconds: float
    item_tokens: float | None

    @property
    def main(self) -> Interval:
        """Its main figure."""
        return next(iter(self.figures.values()))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A method beside the best baseline, on the same items.

    Args:
        method: The method.
        shots: Its shots.
        reference: What it is compared with.
        reference_shots: That one's shots.
        test: The paired test.
        holm_bootstrap: `test.p_bootstrap`, corrected for all comparisons of the summary.
        holm_mcnemar: `test.p_mcnemar`, corrected likewise.
    """

    method: str
    shots: int
    reference: str
    reference_shots: int
    test: PairedTest
    holm_bootstrap: float
    holm_mcnemar: float


@dataclass(frozen=True, slots=True)
class TransferTable:
    """What was learned on one split, put to each.

    Args:
        method: The method.
        shots: Its shots.
        splits: Names of rows (learned on) and columns (put to).
        cells: The main figure of each, with its interval; None where the run failed.
    """

    method: str
    shots: int
    splits: tuple[str, ...]
    cells: tuple[tuple[Interval | None, ...], ...]


@dataclass(frozen=True)
class Summary:
    """What results of one benchmark, one model and the same items say.

    Args:
        benchmark: The benchmark.
        model: The model.
        results: The results.
    """

    benchmark: Header
    model: ModelFingerprint
    results: tuple[BenchResult, ...]

    @property
    def items(self) -> tuple[ItemRecord, ...]:
        """The scored items."""
        return self.results[0].items

    @property
    def splits(self) -> tuple[str, ...]:
        """Their splits, in order of appearance."""
        return tuple(dict.fromkeys(item.split for item in self.items))

    @property
    def main_figure(self) -> str:
        """The name of the main figure."""
        return "exact match" if self.benchmark.judge else MAIN_FIGURE[self.benchmark.task]

    @property
    def failed(self) -> tuple[Run, ...]:
        """The runs that failed."""
        return tuple(run for result in self.results for run in result.failed)

    @cached_property
    def methods(self) -> tuple[MethodSummary, ...]:
        """Every method with every number of shots, in the order of the results."""
        found = []
        for (name, shots, source), runs in self._runs.items():
            if source is None:
                found.append(self._method(name, shots, runs))
        return tuple(found)

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every method beside the best baseline of its shots (or without shots).

        Without a baseline every other method is compared with the best; without a method every
        other baseline is.
        """
        pairs = [
            (one, reference)
            for shots in sorted({one.shots for one in self.methods})
            for one, reference in self._rivals(shots)
        ]
        tests = [self._test(one, reference) for one, reference in pairs]
        by_bootstrap = holm([test.p_bootstrap for test in tests])
        by_mcnemar = holm([test.p_mcnemar for test in tests])
        return tuple(
            Comparison(one.method, one.shots, other.method, other.shots, test, first, second)
            for (one, other), test, first, second in zip(
                pairs, tests, by_bootstrap, by_mcnemar, strict=True
            )
        )

    @cached_property
    def transfers(self) -> tuple[TransferTable, ...]:
        """One table for each method that was fitted on each split."""
        keys = dict.fromkeys((name, shots) for name, shots, of in self._runs if of is not None)
        return tuple(
            TransferTable(
                name,
                shots,
                self.splits,
                tuple(
                    tuple(
                        self._cell(self._runs.get((name, shots, row), []), to) for to in self.splits
                    )
                    for row in self.splits
                ),
            )
            for name, shots in keys
        )

    @cached_property
    def _runs(self) -> dict[tuple[str, int, str | None], list[Run]]:
        """The sound runs of each method, by shots and source; seeds in order."""
        found: dict[tuple[str, int, str | None], list[Run]] = {}
        for run in (run for result in self.results for run in result.runs):
            if run.error is None:
                found.setdefault((run.method, run.shots, run.fitted_on), []).append(run)
        return {key: sorted(runs, key=lambda run: run.seed) for key, runs in found.items()}

    def _method(self, name: str, shots: int, runs: Sequence[Run]) -> MethodSummary:
        design = self._design(len(runs))
        main = mean_interval(_scores(runs), design)
        figures = {self.main_figure: main, **class_figures(self.items, runs, design)}
        asked = self.benchmark.task != "rewards"
        unread = [output.answer is None for run in runs for output in run.outputs]
        n = len(self.items) * len(runs)
        counts = [run.prompt_tokens for run in runs], [run.completion_tokens for run in runs]
        known = [count for of in counts for count in of if count is not None]
        roles = {m.name: m.role for result in self.results for m in result.methods}
        return MethodSummary(
            method=name,
            role=roles[name],
            shots=shots,
            n_seeds=len(runs),
            figures=figures,
            official=tuple(self._official(name, shots)),
            calibration=run_calibration(self.items, runs),
            unread=float(np.mean(unread)) if asked else None,
            fit_seconds=float(np.mean([run.fit_seconds for run in runs])),
            item_seconds=sum(run.seconds for run in runs) / n,
            item_tokens=sum(known) / n if known else None,
        )

    def _official(self, name: str, shots: int) -> Iterable[OfficialFigure]:
        for result in self.results:
            for figure in result.official:
                if (figure.method, figure.shots, figure.fitted_on) == (name, shots, None):
                    yield figure

    def _rivals(self, shots: int) -> list[tuple[MethodSummary, MethodSummary]]:
        of_shots = [one for one in self.methods if one.shots == shots]
        methods = [one for one in self.methods if one.role == "method"]
        baselines = [one for one in self.methods if one.role == "baseline"]
        rivals = [one for one in baselines if one.shots in (0, shots)] or of_shots
        best = max(rivals, key=lambda one: one.main.value)
        if methods and baselines:
            of_shots = [one for one in of_shots if one.role == "method"]
        return [(one, best) for one in of_shots if one is not best]

    def _test(self, one: MethodSummary, reference: MethodSummary) -> PairedTest:
        runs = {run.seed: run for run in self._runs[one.method, one.shots, None]}
        others = {run.seed: run for run in self._runs[reference.method, reference.shots, None]}
        common = sorted(set(runs) & set(others))
        if len(runs) == 1 or len(others) == 1 or not common:
            # One of them has no seeds (or none in common): its mean stands beside all of the other.
            first, second = _scores(runs.values()), _scores(others.values())
            if len(first) > 1 and len(second) > 1:
                second = second.mean(axis=0, keepdims=True)
        else:
            first = _scores(runs[seed] for seed in common)
            second = _scores(others[seed] for seed in common)
        return paired_test(first, second, self._design(max(len(first), len(second))))

    def _cell(self, runs: Sequence[Run], split: str) -> Interval | None:
        places = [place for place, item in enumerate(self.items) if item.split == split]
        if not runs:
            return None
        groups = [self.items[place].group for place in places]
        design = Design.of(len(runs), len(places), groups)
        return mean_interval(_scores(runs)[:, places], design)

    def _design(self, n_seeds: int) -> Design:
        groups = [item.group for item in self.items]
        splits = [item.split for item in self.items]
        return Design.of(n_seeds, len(self.items), groups, splits)


def summarize(results: Sequence[BenchResult]) -> list[Summary]:
    """Puts results of the same benchmark, model and items together.

    Args:
        results: Results, of any benchmarks and models.

    Returns:
        One summary for each benchmark and model, in order of appearance.

    Raises:
        InputError: There are none, or two hold the same run.
    """
    if not results:
        raise InputError("There are no results; give one file of headwise bench at least.")
    groups: dict[str, list[BenchResult]] = {}
    for result in results:
        model = {k: v for k, v in asdict(result.model).items() if k != "image_processor"}
        key = json.dumps([result.benchmark.name, model, result.data["items"]], sort_keys=True)
        groups.setdefault(key, []).append(result)
    for of_one in groups.values():
        _require_distinct(of_one)
    return [Summary(of[0].benchmark, of[0].model, tuple(of)) for of in groups.values()]


def _require_distinct(results: Sequence[BenchResult]) -> None:
    seen: set[tuple[str, int, int, str | None]] = set()
    for result in results:
        for run in result.runs:
            key = run.method, run.shots, run.seed, run.fitted_on
            if key in seen:
                raise InputError(
                    f"Two results hold the run of {run.method!r} with {run.shots} shots and seed "
                    f"{run.seed} on the same items of {result.benchmark.name}. Leave one out."
                )
            seen.add(key)


def _scores(runs: Iterable[Run]) -> Array:
    return np.array([run.scores for run in runs], dtype=np.float64)
