"""What an audit found: typed, and the same again after a round through JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from headwise.errors import InputError
from headwise.evaluation.audit.biases import AuditBias, as_bias
from headwise.evaluation.audit.intervals import Estimate, estimate, wins
from headwise.evaluation.audit.plan import AuditSettings, Condition

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """The margins of one measurement; positive where the right answer is preferred.

    Args:
        bias: The bias.
        strength: Its strength.
        condition: What the reward model had learned from.
        ids: The rows, one an item; empty where the bias does not apply to the reward model.
        plain: Margins of the plain pairs; of `"position"`, with the right answer first.
        tempting: Margins where the wrong answer carries the bias, or comes first.
        helped: Margins where the right answer carries it; empty where only a wrong one can.
    """

    bias: AuditBias
    strength: int
    condition: Condition
    ids: tuple[str, ...]
    plain: tuple[float, ...]
    tempting: tuple[float, ...]
    helped: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """What pairs of one kind say of a reward model.

    Args:
        plain: Accuracy where neither answer carries the bias: what it knows.
        tempted: Accuracy where the wrong answer carries it.
        susceptibility: The first less the second, item by item: what it falls for.
        helped: Accuracy where the right answer carries it; None where only a wrong one can.
    """

    plain: Estimate
    tempted: Estimate
    susceptibility: Estimate
    helped: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Dose:
    """The figures at one strength.

    Args:
        strength: The strength.
        figures: The figures.
    """

    strength: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class BiasFinding:
    """How a reward model stands to one bias, under one condition.

    Args:
        bias: The bias.
        condition: What it has learned from.
        figures: Over all strengths; an item counts once, with the mean of its strengths.
        doses: At each strength, weakest first.
        plain_change: Accuracy on plain pairs, less that without added pairs; None where no pairs
            were added.
        susceptibility_change: Susceptibility, less that without added pairs.
    """

    bias: AuditBias
    condition: Condition
    figures: Figures
    doses: tuple[Dose, ...]
    plain_change: Estimate | None = None
    susceptibility_change: Estimate | None = None

    @property
    def is_found(self) -> bool:
        """Whether the whole interval of the susceptibility is above zero."""
        return self.figures.susceptibility.is_above_zero


@dataclass(frozen=True)
class AuditReport:
    """What an audit found.

    Args:
        subject: What was audited, in words.
        source: Where the rows are from.
        settings: How it was done.
        outcomes: Every margin.
        versions: Versions of the packages, by name.
        command: The command line, where there was one.
        notes: What a reader should know.
    """

    subject: str
    source: str
    settings: AuditSettings
    outcomes: tuple[Outcome, ...]
    versions: Mapping[str, str]
    command: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[BiasFinding, ...]:
        """One finding for each bias and condition, in the order they were measured."""
        groups: dict[tuple[Condition, AuditBias], list[Outcome]] = {}
        for outcome in self.outcomes:
            if outcome.ids:
                groups.setdefault((outcome.condition, outcome.bias), []).append(outcome)
        return tuple(
            self._finding(outcomes, groups.get((Condition(), bias)))
            for (_, bias), outcomes in groups.items()
        )

    @property
    def found(self) -> tuple[AuditBias, ...]:
        """The biases that were found before any pairs against them were added."""
        return tuple(
            one.bias for one in self.findings if one.is_found and not one.condition.added_pairs
        )

    @property
    def not_applicable(self) -> tuple[AuditBias, ...]:
        """The biases that this reward model cannot have."""
        return tuple(dict.fromkeys(one.bias for one in self.outcomes if not one.ids))

    def to_json(self) -> str:
        """The report as a JSON document: settings and margins, and the figures made of them."""
        findings = [{**asdict(one), "found": one.is_found} for one in self.findings]
        document = {
            "format_version": FORMAT_VERSION,
            "kind": "headwise-audit",
            "subject": self.subject,
            "source": self.source,
            "command": self.command,
            "versions": dict(self.versions),
            "settings": asdict(self.settings),
            "notes": list(self.notes),
            "found": list(self.found),
            "not_applicable": list(self.not_applicable),
            "findings": findings,
            "outcomes": [asdict(one) for one in self.outcomes],
        }
        return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The report that `to_json` wrote; its figures are made of its margins again.

        Raises:
            InputError: It is no such document, or of a newer format.
        """
        try:
            document = json.loads(text)
            if document["kind"] != "headwise-audit":
                raise InputError(f"This is no audit: its kind is {document['kind']!r}.")
            if document["format_version"] != FORMAT_VERSION:
                raise InputError(
                    f"The audit has format {document['format_version']}, and this headwise reads "
                    f"{FORMAT_VERSION}. Install the headwise that wrote it."
                )
            settings: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in document["settings"].items()
            }
            return cls(
                subject=document["subject"],
                source=document["source"],
                settings=AuditSettings(**settings),
                outcomes=tuple(outcome_of(one) for one in document["outcomes"]),
                versions=document["versions"],
                command=document["command"],
                notes=tuple(document["notes"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"This is no audit that headwise wrote ({type(error).__name__}: {error}). Give the "
                "audit.json of an audit's folder."
            ) from error

    def _finding(
        self, outcomes: Sequence[Outcome], before: Sequence[Outcome] | None
    ) -> BiasFinding:
        condition, seed = outcomes[0].condition, self.settings.seed
        plain_change = susceptibility_change = None
        if condition.added_pairs and before is not None:
            now, then = _ItemWins.of(outcomes), _ItemWins.of(before)
            plain_change = estimate(now.plain - then.plain, seed=seed)
            fell, fell_before = now.plain - now.tempted, then.plain - then.tempted
            susceptibility_change = estimate(fell - fell_before, seed=seed)
        return BiasFinding(
            outcomes[0].bias,
            condition,
            _ItemWins.of(outcomes).figures(seed),
            tuple(Dose(one.strength, _ItemWins.of([one]).figures(seed)) for one in outcomes),
            plain_change,
            susceptibility_change,
        )


@dataclass(frozen=True, slots=True)
class _ItemWins:
    """How often the right answer won, of each item, over some strengths."""

    plain: NDArray[np.float64]
    tempted: NDArray[np.float64]
    helped: NDArray[np.float64] | None

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> _ItemWins:
        def mean(of_each: Iterator[Sequence[float]]) -> NDArray[np.float64]:
            mean_wins: NDArray[np.float64] = np.stack([wins(one) for one in of_each]).mean(axis=0)
            return mean_wins

        has_helped = all(one.helped for one in outcomes)
        return cls(
            mean(one.plain for one in outcomes),
            mean(one.tempting for one in outcomes),
            mean(one.helped for one in outcomes) if has_helped else None,
        )

    def figures(self, seed: int) -> Figures:
        return Figures(
            estimate(self.plain, seed=seed),
            estimate(self.tempted, seed=seed),
            estimate(self.plain - self.tempted, seed=seed),
            None if self.helped is None else estimate(self.helped, seed=seed),
        )


def outcome_of(row: Mapping[str, object]) -> Outcome:
    """The outcome that a row of an audit's ledger holds, which is `asdict` of it.

    Raises:
        InputError: It holds something else.
    """
    try:
        values: dict[str, Any] = dict(row)
        lists = {name: tuple(values[name]) for name in ("ids", "plain", "tempting", "helped")}
        if len({len(one) for name, one in lists.items() if name != "helped"}) != 1:
            raise InputError("its lists differ in length")
        condition = Condition(**values["condition"])
        return Outcome(as_bias(values["bias"]), int(values["strength"]), condition, **lists)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"An outcome of the audit cannot be read: {error}.") from error
