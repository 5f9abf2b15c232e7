"""Runs an evaluation: fits every method on every support, and puts it to the items.

Each chunk is written to a ledger as it is done, so that a killed run goes on where it stopped.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from headwise.artifacts.versions import package_versions
from headwise.engines.base import Engine
from headwise.engines.usage import spared_seconds, usage_of, usage_since
from headwise.errors import HeadwiseError
from headwise.evaluation.items import Item, Output, QuestionItem
from headwise.evaluation.official import official_measures
from headwise.evaluation.outputs import outputs_of, score_of
from headwise.evaluation.plan import Plan, Step, Trial
from headwise.evaluation.results import (
    BenchResult,
    ItemRecord,
    MethodRecord,
    OfficialFigure,
    Run,
)
from headwise.evaluation.splits import Drawn, draw
from headwise.evaluation.transfer import carried
from headwise.jobs import ResumableRows, Row

Clock = Callable[[], float]

_DIGITS = 9


def run(
    plan: Plan,
    engine: Engine,
    ledger: Path | None = None,
    *,
    command: Sequence[str] = (),
    overwrite: bool = False,
    progress: bool = False,
    clock: Clock = time.perf_counter,
) -> BenchResult:
    """Runs an evaluation, or goes on with it.

    Args:
        plan: What to run.
        engine: The model.
        ledger: A JSON Lines file that grows by a line a chunk; beside it a record says what the
            job is. None to keep nothing.
        command: What to say the run was started with.
        overwrite: Whether to begin anew where the ledger holds something already.
        progress: Whether to show a progress bar on stderr.
        clock: Where seconds come from.

    Returns:
        What was found. A method that fails is there with its error, and the others are not lost;
        the same run again gives the same, but for seconds.

    Raises:
        InputError: The ledger holds another job.
        OSError: The ledger cannot be written.
    """
    if ledger is None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ledger.jsonl"
            return run(plan, engine, path, command=command, progress=progress, clock=clock)
    rows = ResumableRows(ledger, plan.identity(engine), overwrite=overwrite)
    steps = plan.steps()
    worker = _Worker(plan, engine, clock, rows)
    spans = [range(number, number + 1) for number in range(len(steps))]
    rows.run(
        steps,
        lambda chunk: [worker.row(step) for step in chunk],
        spans=spans,
        description="Evaluating" if progress else "",
    )
    runs = _runs(plan, steps, list(rows.rows()))
    official, notes = _official(plan, runs)
    header = plan.benchmark.header
    return BenchResult(
        command=tuple(command),
        versions=package_versions(),
        model=engine.fingerprint,
        benchmark=replace(header, fields=dict(header.fields)),
        data={name: plan.identity(engine)[name] for name in ("items", "support")},
        fit_on=plan.fit_on,
        shots=plan.shots,
        seeds=plan.seeds,
        methods=tuple(MethodRecord(c.name, c.role, dict(c.settings)) for c in plan.contenders),
        items=tuple(_record(item) for item in plan.scored),
        runs=tuple(runs),
        official=tuple(official),
        notes=tuple(notes),
    )


@dataclass
class _Worker:
    """Makes the ledger's rows; keeps what was fitted last, and which trials failed."""

    plan: Plan
    engine: Engine
    clock: Clock
    ledger: ResumableRows
    errors: dict[str, str] | None = None
    drawn: dict[tuple[int, int, str | None], Drawn] = field(default_factory=dict)
    fitted: dict[tuple[str, str | None], Any] = field(default_factory=dict)
    carried: dict[tuple[str, str | None, str | None], Any] = field(default_factory=dict)

    def row(self, step: Step) -> Row:
        """Fits, where that is still to be done, and puts the step's items to what was fitted."""
        errors = self._errors()
        name = step.trial.name
        head = {"trial": name, "target": step.target}
        if name in errors:
            return {**head, "error": errors[name]}
        try:
            return {**head, "error": None, **self._done(step)}
        except Exception as error:  # Any failure of one method must not lose the others.
            is_ours = isinstance(error, HeadwiseError)
            errors[name] = str(error) if is_ours else f"{type(error).__name__}: {error}"
            self.fitted.clear()
            self.carried.clear()
            return {**head, "error": errors[name]}

    def _errors(self) -> dict[str, str]:
        """The trials that failed, those of a run that was killed included."""
        if self.errors is None:
            rows = self.ledger.rows()
            self.errors = {str(r["trial"]): str(r["error"]) for r in rows if r["error"] is not None}
        return self.errors

    def _done(self, step: Step) -> Row:
        before = usage_of(self.engine)
        started = self._seconds()
        drawn = self._draw(step.trial, step.source)
        fitted = self._fit(step, drawn)
        ready = self._seconds()
        items = [self.plan.scored[place] for place in step.places]
        outputs = outputs_of(self.plan.benchmark.header.task, fitted, items)
        ended = self._seconds()
        used = usage_since(self.engine, before)
        row: dict[str, object] = {
            "seconds": round(ended - ready, 3),
            "prompt_tokens": None if used is None else used.prompt_tokens,
            "completion_tokens": None if used is None else used.completion_tokens,
            "outputs": [_plain(output) for output in outputs],
        }
        if step.is_first:
            row |= {"fit_seconds": round(ready - started, 3), "support": list(drawn.ids)}
        return row

    def _seconds(self) -> float:
        # A method is not cheaper for asking what another asked before.
        return self.clock() + spared_seconds(self.engine)

    def _draw(self, trial: Trial, split: str | None) -> Drawn:
        key = trial.shots, trial.seed, split
        if key not in self.drawn:
            self.drawn[key] = draw(self.plan.pool, trial.shots, trial.seed, split=split)
        return self.drawn[key]

    def _fit(self, step: Step, drawn: Drawn) -> Any:
        key = step.trial.name, step.source
        if key not in self.fitted:
            # One at a time: what was fitted may hold a whole model.
            self.fitted.clear()
            self.carried.clear()
            method: Any = step.trial.contender.make(step.trial.seed)
            self.fitted[key] = method.fit(self.engine, drawn.support)
        fitted = self.fitted[key]
        if step.trial.fitted_on is None or step.target == step.source:
            return fitted
        place = (*key, step.target)
        if place not in self.carried:
            self.carried.clear()
            support = self._draw(step.trial, step.target).support
            self.carried[place] = carried(fitted, self.engine, support)
        return self.carried[place]


def _runs(plan: Plan, steps: Sequence[Step], rows: Sequence[Row]) -> list[Run]:
    of_trial: dict[str, list[tuple[Step, Row]]] = {}
    for step, row in zip(steps, rows, strict=True):
        of_trial.setdefault(step.trial.name, []).append((step, row))
    return [_run(plan, trial, of_trial[trial.name]) for trial in plan.trials]


def _run(plan: Plan, trial: Trial, done: Sequence[tuple[Step, Row]]) -> Run:
    error = next((str(row["error"]) for _, row in done if row["error"] is not None), None)
    sound = [(step, row) for step, row in done if row["error"] is None]
    outputs: dict[int, Output] = {}
    for step, row in sound if error is None else []:
        for place, values in zip(step.places, _list(row["outputs"]), strict=True):
            outputs[place] = _output(plan.scored[place], values)
    ordered = tuple(outputs[place] for place in sorted(outputs))
    pairs = zip(plan.scored, ordered, strict=True) if ordered else ()
    return Run(
        method=trial.contender.name,
        shots=trial.shots,
        seed=trial.seed,
        fitted_on=trial.fitted_on,
        error=error,
        support={
            step.source or "": tuple(map(str, _list(row["support"])))
            for step, row in sound
            if "support" in row and (trial.fitted_on is None or step.target == step.source)
        },
        fit_seconds=_sum(row.get("fit_seconds") for _, row in sound),
        seconds=_sum(row["seconds"] for _, row in sound),
        prompt_tokens=_total(row["prompt_tokens"] for _, row in sound),
        completion_tokens=_total(row["completion_tokens"] for _, row in sound),
        outputs=ordered,
        scores=tuple(round(score_of(i, o, plan.benchmark), _DIGITS) for i, o in pairs),
    )


def _official(plan: Plan, runs: Sequence[Run]) -> tuple[list[OfficialFigure], list[str]]:
    """The figures by the benchmark's rule, and why some method has none."""
    groups: dict[tuple[str, int, str | None], list[Run]] = {}
    for found in runs:
        if found.error is None:
            groups.setdefault((found.method, found.shots, found.fitted_on), []).append(found)
    figures, notes = [], []
    for (method, shots, source), of_seeds in groups.items():
        outputs = [found.outputs for found in of_seeds]
        try:
            measures = official_measures(plan.benchmark, plan.scored, outputs)
        except HeadwiseError as error:
            notes.append(f"The rule of {plan.benchmark.header.title} refuses {method}: {error}")
            continue
        figures += [
            OfficialFigure(method, shots, source, m.name, m.split, m.n, m.value, m.low, m.high)
            for m in measures
        ]
    return figures, notes


def _record(item: Item) -> ItemRecord:
    if isinstance(item, QuestionItem):
        return ItemRecord(item.id, item.split, item.group, item.example.label, item.options, 0, 0)
    return ItemRecord(item.id, item.split, item.group, None, (), item.n_right, len(item.responses))


def _plain(output: Output) -> Row:
    if output.rewards:
        return {"rewards": [_shortened(reward) for reward in output.rewards]}
    shares = {name: _shortened(share) for name, share in output.probabilities.items()}
    return {"answer": output.answer, **({"probabilities": shares} if shares else {})}


def _output(item: Item, values: object) -> Output:
    row = values if isinstance(values, Mapping) else {}
    answer = row.get("answer")
    return Output(
        item.id,
        rewards=tuple(float(reward) for reward in row.get("rewards", ())),
        answer=None if answer is None else str(answer),
        probabilities={name: float(share) for name, share in row.get("probabilities", {}).items()},
    )


def _shortened(number: float) -> float:
    """So many digits as matter; by significance, so that small differences stay."""
    return float(f"{number:.{_DIGITS}g}")


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _sum(seconds: Iterable[object]) -> float:
    return round(float(sum(s for s in seconds if isinstance(s, int | float))), 3)


def _total(counts: Any) -> int | None:
    known = list(counts)
    return None if not known or None in known else sum(known)
