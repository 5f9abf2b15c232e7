"""What the results in a folder say, figure by figure, with 95% intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.evidence.tasks import TASKS
from benchmarks.evidence.ways import Answers, Ways
from headwise.evaluation.audit import AuditReport, Condition
from headwise.evaluation.audit.intervals import Estimate, estimate, wins
from headwise.evaluation.results import BenchResult
from headwise.evaluation.summary import Summary, summarize

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Share:
    """A named figure with its interval."""

    name: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.name} {self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, slots=True)
class Margin(Share):
    """A difference, item by item on the same items, with its interval."""

    def __str__(self) -> str:
        return f"{self.name} {self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


@dataclass(frozen=True, slots=True)
class Way:
    """One way of answering, over all seeds."""

    name: str
    share: Share
    tokens: float

    def __str__(self) -> str:
        return str(self.share)


@dataclass(frozen=True, slots=True)
class Cell:
    """Heads of one task on another."""

    source: str
    target: str
    share: Share

    @property
    def is_own(self) -> bool:
        """Whether both are the same."""
        return self.source == self.target

    def __str__(self) -> str:
        return str(self.share)


@dataclass(frozen=True, slots=True)
class Reward:
    """A reward method over biases, questions and seeds.

    Args:
        name: Its name.
        plain: Accuracy on plain pairs.
        tempted: Accuracy where the wrong answer carries a bias.
        susceptibility: Their difference.
    """

    name: str
    plain: Share
    tempted: Share
    susceptibility: Share

    def __str__(self) -> str:
        return f"{self.tempted} (plain pairs {self.plain.value:.2f})"


class Findings:
    """Everything that a folder of results says.

    Args:
        folder: Where `benchmarks.evidence` kept them.
    """

    FEW_SHOT = ("token-probability-few-shot", "judge-few-shot", "pairwise-judge-few-shot")
    """Baselines that see the same examples and train nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ways = Ways(folder / "ways.jsonl").rows

    @cached_property
    def classes(self) -> Mapping[str, Summary]:
        """Summaries of the classification tasks, by name."""
        found = {}
        for name in TASKS:
            path = self._folder / f"classes-{name}.json"
            if not path.is_file():
                continue
            tuned = path.with_name(f"lora-{name}.json")
            both = [one for one in (path, tuned) if one.is_file()]
            found[name] = summarize([BenchResult.read(one) for one in both])[0]
        return found

    @cached_property
    def reports(self) -> Mapping[str, list[AuditReport]]:
        """Audits of each reward method, one a seed."""
        return self._audits("audit")

    def summary(self, name: str) -> Summary | None:
        """The summary of one result; None where it was not run."""
        path = self._folder / f"{name}.json"
        return summarize([BenchResult.read(path)])[0] if path.is_file() else None

    def classes_against(self, baseline: str, method: str = "sav") -> list[Margin]:
        """A method less a baseline on each task."""
        found = []
        for name, summary in self.classes.items():
            mine, other = _scores(summary, method), _scores(summary, baseline)
            if mine is not None and other is not None:
                found.append(_margin(name, mine - other))
        return found

    def curve(self, method: str) -> list[Share]:
        """Accuracy by the number of examples a class."""
        summary = self.summary("curve-topics")
        if summary is None:
            return []
        rows = [row for row in summary.methods if row.method == method]
        return [
            Share(f"{row.shots} a class", row.main.value, row.main.low, row.main.high)
            for row in sorted(rows, key=lambda row: row.shots)
        ]

    def transfers(self) -> list[Cell]:
        """Heads of each task on each."""
        summary = self.summary("transfer")
        if summary is None:
            return []
        return [
            Cell(source, target, Share(f"{source} to {target}", cell.value, cell.low, cell.high))
            for table in summary.transfers
            for source, row in zip(table.splits, table.cells, strict=True)
            for target, cell in zip(table.splits, row, strict=True)
            if cell is not None
        ]

    def rewards(self, name: str) -> Reward | None:
        """A reward method over all biases and seeds; None where it was not run."""
        if name not in self.reports:
            return None
        plain, tempted = self._wins(name)
        return Reward(
            name,
            _share(name, plain),
            _share(name, tempted),
            _share(name, plain - tempted),
        )

    def rewards_margin(self, method: str, other: str) -> Margin:
        """How much more often one is right than the other where the wrong answer is biased."""
        one, two = self._wins(method)[1], self._wins(other)[1]
        n = min(len(one), len(two))
        return _margin(f"{method} less {other}", one[:n] - two[:n])

    def rewards_by_bias(self, name: str) -> list[Share]:
        """Accuracy where the wrong answer carries each bias."""
        found: dict[str, list[Floats]] = {}
        for report in self.reports.get(name, []):
            for outcome in report.outcomes:
                if outcome.ids and outcome.condition == Condition():
                    found.setdefault(outcome.bias, []).append(wins(outcome.tempting))
        return [_share(bias, np.concatenate(parts)) for bias, parts in found.items()]

    def noise(self, name: str) -> list[Share]:
        """Accuracy where the wrong answer is biased, by what was added to the support."""
        found: dict[Condition, list[Floats]] = {}
        for report in self._audits("noise").get(name, []):
            for outcome in report.outcomes:
                if outcome.ids:
                    found.setdefault(outcome.condition, []).append(wins(outcome.tempting))
        return [
            _share(
                f"{condition.added_pairs} added, {condition.noise:.0%} mislabelled",
                np.concatenate(parts),
            )
            for condition, parts in found.items()
        ]

    def ways(self, part: str) -> list[Way]:
        """Every way of a part, in the order in which it was tried."""
        names = dict.fromkeys(row.way for row in self._ways if row.part == part)
        found = [way for name in names if (way := self.way(part, name)) is not None]
        return sorted(found, key=lambda way: (way.name.startswith("task vector"), 0))

    def way(self, part: str, name: str, kind: str | None = None) -> Way | None:
        """One way over all seeds; None where it was not tried."""
        rows = list(self._rows(part, name, kind))
        if not rows:
            return None
        right = np.concatenate([np.array(row.right, float) for row in rows])
        return Way(name, _share(name, right), float(np.mean([row.tokens for row in rows])))

    def ways_margin(self, part: str, one: str, other: str, kind: str | None = None) -> Margin:
        """One way less another, on the items that both answered."""
        of_other = {(row.kind, row.seed): row for row in self._rows(part, other, kind)}
        parts = [
            np.array(row.right, float) - np.array(of_other[row.kind, row.seed].right, float)
            for row in self._rows(part, one, kind)
            if (row.kind, row.seed) in of_other
        ]
        return _margin(f"{one} less {other}", np.concatenate(parts))

    def _rows(self, part: str, way: str, kind: str | None) -> Iterator[Answers]:
        for row in self._ways:
            if row.part == part and row.way == way and kind in (None, row.kind):
                yield row

    def _wins(self, name: str) -> tuple[Floats, Floats]:
        """Of each question of each seed, the mean over biases: plain, and with a biased wrong."""
        plain, tempted = [], []
        for report in self.reports[name]:
            kept = [o for o in report.outcomes if o.ids and o.condition == Condition()]
            plain.append(np.mean([wins(outcome.plain) for outcome in kept], axis=0))
            tempted.append(np.mean([wins(outcome.tempting) for outcome in kept], axis=0))
        return np.concatenate(plain), np.concatenate(tempted)

    def _audits(self, kind: str) -> dict[str, list[AuditReport]]:
        found: dict[str, list[AuditReport]] = {}
        for path in sorted(self._folder.glob(f"{kind}-*.json")):
            name = path.stem.removeprefix(f"{kind}-").rsplit("-", 1)[0]
            found.setdefault(name, []).append(AuditReport.from_json(path.read_text("utf-8")))
        return found


def _scores(summary: Summary, method: str) -> Floats | None:
    """Of each item, the mean over seeds; None where the method did not run or failed."""
    runs = [run for result in summary.results for run in result.runs if run.method == method]
    if not runs or any(run.error for run in runs):
        return None
    found: Floats = np.mean([run.scores for run in runs], axis=0, dtype=np.float64)
    return found


def _share(name: str, values: Floats | Sequence[float]) -> Share:
    found: Estimate = estimate(values)
    return Share(name, found.value, found.low, found.high)


def _margin(name: str, values: Floats) -> Margin:
    found = estimate(values)
    return Margin(name, found.value, found.low, found.high)
