"""Putting an audit's pairs to a reward model, one measurement after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from headwise.artifacts.versions import package_versions
from headwise.engines.base import Engine
from headwise.errors import HeadwiseError
from headwise.evaluation.audit.biases import AUDIT_BIASES
from headwise.evaluation.audit.items import AuditItem
from headwise.evaluation.audit.plan import AuditPlan, Unit
from headwise.evaluation.audit.report import AuditReport, Outcome, outcome_of
from headwise.examples import Preference
from headwise.jobs import ResumableRows, Row
from headwise.methods.contracts import OrderedRewarder, Rewarder, RewardMethod
from headwise.progress import progress_bar

LEDGER_FILE = "margins.jsonl"


class Subject(Protocol):
    """What is audited."""

    @property
    def name(self) -> str:
        """What it is, in words."""

    @property
    def identity(self) -> str:
        """What makes two subjects the same, so that an audit goes on with the right one."""

    @property
    def fits(self) -> bool:
        """Whether it learns from the pairs of a plan."""

    def rewarder(self, plan: AuditPlan, unit: Unit) -> Rewarder:
        """The reward model that a measurement is of."""


@dataclass(frozen=True, slots=True)
class FittedSubject:
    """A reward model as it is: an artifact, or one behind HTTP.

    Args:
        name: What it is, in words.
        value: The reward model.
        identity: What makes two of them the same, such as a hash.
    """

    name: str
    value: Rewarder
    identity: str = ""

    @property
    def fits(self) -> bool:
        """It has learned what it knows."""
        return False

    def rewarder(self, plan: AuditPlan, unit: Unit) -> Rewarder:
        """Always the same one."""
        return self.value


@dataclass
class MethodSubject:
    """A method, fitted on the support of each condition.

    Args:
        name: What it is, in words.
        method: The method.
        engine: The frozen model.
        identity: What makes two of them the same, such as a hash.
    """

    name: str
    method: RewardMethod
    engine: Engine
    identity: str = ""
    _support: list[Preference] | None = field(default=None, init=False)
    _fitted: Rewarder | None = field(default=None, init=False)

    @property
    def fits(self) -> bool:
        """It learns from the plan's pairs."""
        return True

    def rewarder(self, plan: AuditPlan, unit: Unit) -> Rewarder:
        """Fits, unless the measurement before was of the same support."""
        support = plan.support(unit)
        if self._fitted is None or support != self._support:
            self._fitted = self.method.fit(self.engine, support)
            self._support = support
        return self._fitted


def run_audit(
    subject: Subject,
    plan: AuditPlan,
    folder: Path | str | None = None,
    *,
    overwrite: bool = False,
    command: str | None = None,
    progress: bool = False,
) -> AuditReport:
    """Runs an audit.

    Args:
        subject: What is audited; it fits where the plan says so.
        plan: What is measured.
        folder: Where margins are kept as they are found, so that a killed audit goes on; None to
            keep none.
        overwrite: Whether to begin anew where the folder holds another audit.
        command: The command line, for the report.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The report.

    Raises:
        InputError: The folder holds another audit.
        HeadwiseError: A margin is not finite.
    """
    units = plan.units()

    def compute(some: Sequence[Unit]) -> list[Row]:
        return [asdict(_measured(subject, plan, unit)) for unit in some]

    if folder is None:
        rows: list[Row] = []
        with progress_bar("Auditing", len(units), enabled=progress) as bar:
            for unit in units:
                rows += compute([unit])
                bar.advance()
    else:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        identity = {"subject": f"{subject.name} {subject.identity}", "audit": plan.identity}
        ledger = ResumableRows(folder / LEDGER_FILE, identity, overwrite)
        spans = [range(place, place + 1) for place in range(len(units))]
        ledger.run(units, compute, spans=spans, description="Auditing" if progress else "")
        rows = list(ledger.rows())
    outcomes = tuple(outcome_of(row) for row in rows)
    return AuditReport(
        subject=subject.name,
        source=plan.rows.source,
        settings=plan.settings,
        outcomes=outcomes,
        versions=package_versions(),
        command=command,
        notes=(*plan.rows.notes, *_notes(plan, outcomes)),
    )


def _measured(subject: Subject, plan: AuditPlan, unit: Unit) -> Outcome:
    rewarder, items = subject.rewarder(plan, unit), plan.items(unit)
    if unit.bias == "position":
        return _measured_order(rewarder, unit, items)
    helped = [item.helped for item in items if item.helped is not None]
    pairs = [*(item.plain for item in items), *(item.tempting for item in items), *helped]
    margins = _finite(rewarder.margins(pairs).tolist(), subject.name)
    n = len(items)
    return Outcome(
        unit.bias,
        unit.strength,
        unit.condition,
        tuple(item.id for item in items),
        tuple(margins[:n]),
        tuple(margins[n : 2 * n]),
        tuple(margins[2 * n :]),
    )


def _measured_order(rewarder: Rewarder, unit: Unit, items: Sequence[AuditItem]) -> Outcome:
    if not isinstance(rewarder, OrderedRewarder) or not rewarder.shows_order:
        return Outcome(unit.bias, unit.strength, unit.condition, (), (), ())
    margins = rewarder.ordered_margins([item.plain for item in items])
    return Outcome(
        unit.bias,
        unit.strength,
        unit.condition,
        tuple(item.id for item in items),
        tuple(_finite(margins[:, 0].tolist(), "The reward model")),
        tuple(_finite(margins[:, 1].tolist(), "The reward model")),
    )


def _finite(margins: list[float], name: str) -> list[float]:
    if not all(abs(margin) < float("inf") for margin in margins):
        raise HeadwiseError(
            f"{name} gave a margin that is NaN or infinite. If it runs here, load it in float32."
        )
    return margins


def _notes(plan: AuditPlan, outcomes: Sequence[Outcome]) -> list[str]:
    notes = []
    settings = plan.settings
    is_default = settings.biases == AUDIT_BIASES
    if not plan.fits and (settings.few_shot != (0,) or settings.noise != (0.0,)):
        notes.append(
            "The reward model learns from no pairs here, so none could be added: the few-shot and "
            "noise settings do not apply."
        )
    if any(one.bias == "position" and not one.ids for one in outcomes):
        notes.append("It judges each answer alone, so the order of two does not apply.")
    elif plan.fits and max(settings.few_shot) and "position" in plan.biases:
        notes.append("No pair can punish a liking for the first place, so none was added for it.")
    if "usual" in settings.biases and "usual" not in plan.biases and not is_default:
        notes.append("No row has a usual answer, so 'usual' was left out; it is for pictures.")
    return notes
