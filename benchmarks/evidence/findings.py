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
from headwise.evaluation.audit import AuditReport, Condition, Outcome
from headwise.evaluation.audit.intervals import Estimate, estimate, wins
from headwise.evaluation.comparisons import paired_test
from headwise.evaluation.intervals import Design
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
    """Heads of one task on another.

    Args:
        source: Where they were found.
        target: Where they are used.
        share: How much they get right there.
        chance: What guessing gets right there.
    """

    source: str
    target: str
    share: Share
    chance: float

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
        audits: Which audits are meant: of texts, or of pictures ("seeing").
    """

    FEW_SHOT = ("token-probability-few-shot", "judge-few-shot", "pairwise-judge-few-shot")
    """Baselines that see the same examples and train nothing."""

    def __init__(self, folder: Path, audits: str = "audit") -> None:
        self._folder = folder
        self._kind = audits
        self._ways = [
            row for name in ("vectors", "chains") for row in Ways(folder / f"{name}.jsonl").rows
        ]

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
        return self._audits(self._kind)

    @cached_property
    def seeing(self) -> Findings:
        """The same of questions about pictures."""
        return Findings(self._folder, "seeing")

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
                found.append(_paired(name, mine, other))
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

    def curve_margin(self, method: str) -> Margin | None:
        """Most examples a class less fewest; None where there are not two numbers of them."""
        summary = self.summary("curve-topics")
        shots = sorted({row.shots for row in summary.methods}) if summary is not None else []
        if summary is None or len(shots) < 2:
            return None
        few, many = (_scores(summary, method, number) for number in (shots[0], shots[-1]))
        if few is None or many is None:
            return None
        return _paired(f"{shots[-1]} a class less {shots[0]}", many, few)

    def transfers(self) -> list[Cell]:
        """Heads of each task on each."""
        summary = self.summary("transfer")
        if summary is None:
            return []
        chance = {item.split: 1 / len(item.options) for item in summary.items}
        return [
            Cell(
                source,
                target,
                Share(f"{source} to {target}", cell.value, cell.low, cell.high),
                chance[target],
            )
            for table in summary.transfers
            for source, row in zip(table.splits, table.cells, strict=True)
            for target, cell in zip(table.splits, row, strict=True)
            if cell is not None
        ]

    def transfer_margin(self, cell: Cell, method: str = "sav") -> Margin | None:
        """Heads carried to a task less those found on it, on the same items of that task."""
        summary = self.summary("transfer")
        if summary is None:
            return None
        on_target = [item.split == cell.target for item in summary.items]
        carried, own = (
            _scores(summary, method, source=source) for source in (cell.source, cell.target)
        )
        if carried is None or own is None:
            return None
        name = f"{cell.source} to {cell.target} less {cell.target}'s own"
        return _paired(name, carried[:, on_target], own[:, on_target])

    def rewards(self, name: str) -> Reward | None:
        """A reward method over all biases and seeds; None where it was not run."""
        if name not in self.reports:
            return None
        parts = self._wins(name).values()
        plain, tempted = (np.concatenate(one) for one in zip(*parts, strict=True))
        return Reward(
            name,
            _share(name, plain),
            _share(name, tempted),
            _share(name, plain - tempted),
        )

    def rewards_margin(self, method: str, other: str) -> Margin:
        """How much more often one is right than the other where the wrong answer is biased."""
        pairs = self._both(method, other)
        values = [one[1] - two[1] for one, two in pairs]
        return _margin(f"{method} less {other}", np.concatenate(values))

    def resistance(self, method: str, other: str, share: float) -> Margin:
        """A share of what the other falls for, less what the method falls for."""
        values = [
            share * (plain[0] - plain[1]) - (mine[0] - mine[1])
            for mine, plain in self._both(method, other)
        ]
        return _margin(f"{share:.2f} of {other}'s less {method}'s", np.concatenate(values))

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

    def noise_margin(self, name: str) -> Margin | None:
        """Most mislabelled added pairs less as many rightly labelled ones, on the same questions.

        With no added pairs at all it would tell what adding pairs does, not what noise does.
        """
        values: list[Floats] = []
        noisiest = Condition()
        for report in self._audits("noise").get(name, []):
            asked = [outcome for outcome in report.outcomes if outcome.ids]
            if not asked:
                continue
            noisiest = max((one.condition for one in asked), key=lambda c: (c.noise, c.added_pairs))
            clean = Condition(noisiest.added_pairs)
            noisy, right = (_tempted(asked, which) for which in (noisiest, clean))
            if noisiest.noise and right is not None and noisy is not None:
                values.append(noisy - right)
        if not values:
            return None
        told = f"{noisiest.noise:.0%} of {noisiest.added_pairs} added mislabelled less none of them"
        return _margin(told, np.concatenate(values))

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

    def _wins(self, name: str) -> dict[int, tuple[Floats, Floats]]:
        """Of each seed, by question the mean over biases: plain, and with a biased wrong answer."""
        found = {}
        for report in self.reports[name]:
            kept = [o for o in report.outcomes if o.ids and o.condition == Condition()]
            plain = np.mean([wins(outcome.plain) for outcome in kept], axis=0)
            tempted = np.mean([wins(outcome.tempting) for outcome in kept], axis=0)
            found[report.settings.seed] = plain, tempted
        return found

    def _both(
        self, one: str, other: str
    ) -> list[tuple[tuple[Floats, Floats], tuple[Floats, Floats]]]:
        """What both got of the seeds that both were run with: a seed's questions are its own."""
        of_one, of_other = self._wins(one), self._wins(other)
        return [(of_one[seed], of_other[seed]) for seed in of_one if seed in of_other]

    def _audits(self, kind: str) -> dict[str, list[AuditReport]]:
        found: dict[str, list[AuditReport]] = {}
        for path in sorted(self._folder.glob(f"{kind}-*.json")):
            name = path.stem.removeprefix(f"{kind}-").rsplit("-", 1)[0]
            found.setdefault(name, []).append(AuditReport.from_json(path.read_text("utf-8")))
        return found


def _scores(
    summary: Summary, method: str, shots: int | None = None, source: str | None = None
) -> Floats | None:
    """A row a seed, a column an item; None where the method did not run or failed."""
    runs = [
        run
        for result in summary.results
        for run in result.runs
        if run.method == method and shots in (None, run.shots) and run.fitted_on == source
    ]
    if not runs or any(run.error for run in runs):
        return None
    return np.array([run.scores for run in sorted(runs, key=lambda run: run.seed)], np.float64)


def _paired(name: str, one: Floats, other: Floats) -> Margin:
    """One less another, with the interval over seeds and items that `headwise bench` has."""
    design = Design.of(max(len(one), len(other)), one.shape[1])
    found = paired_test(one, other, design).difference
    return Margin(name, found.value, found.low, found.high)


def _tempted(outcomes: Sequence[Outcome], condition: Condition) -> Floats | None:
    """By question, the mean over biases where the wrong answer is biased."""
    found = [wins(one.tempting) for one in outcomes if one.condition == condition]
    return np.mean(found, axis=0, dtype=np.float64) if found else None


def _share(name: str, values: Floats | Sequence[float]) -> Share:
    found: Estimate = estimate(values)
    return Share(name, found.value, found.low, found.high)


def _margin(name: str, values: Floats) -> Margin:
    found = estimate(values)
    return Margin(name, found.value, found.low, found.high)
