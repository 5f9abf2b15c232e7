"""What `headwise bench` does: reads data, makes methods, runs them, tells what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from headwise.cli.bench_told import bench_json, bench_tables
from headwise.cli.console import show, tell, warn, write_json
from headwise.cli.engine_choice import EngineLater
from headwise.cli.models import ModelChoice, load_engine
from headwise.cli.options import image_column
from headwise.errors import HeadwiseError, InputError

if TYPE_CHECKING:
    from headwise.evaluation.items import Benchmark, Item, Task
    from headwise.evaluation.plan import FitOn, Plan
    from headwise.evaluation.results import BenchResult


@dataclass(frozen=True, slots=True)
class BenchData:
    """What is put to methods.

    Args:
        benchmark: The rule.
        items: Items to score.
        support: Items to learn from; None where they are taken out of the items.
    """

    benchmark: Benchmark
    items: list[Item]
    support: list[Item] | None


@dataclass(frozen=True, slots=True)
class DataChoice:
    """Which data, as the options say.

    Args:
        name: A benchmark.
        data: Where its data is.
        file: One's own data instead.
        task: What one's own data is.
        support: Where one's own support is.
        limit: How many items to score.
        columns: Which columns of one's own data hold what.
        skip_bad: Whether to go on without bad rows.
    """

    name: str | None
    data: Path | None
    file: str | None
    task: Task | None
    support: str | None
    limit: int | None
    columns: Mapping[str, str | None]
    skip_bad: bool

    def read(self) -> BenchData:
        """Reads the data.

        Returns:
            The data.

        Raises:
            InputError: The options do not go together, or the data cannot be read.
        """
        if (self.name is None) == (self.file is None):
            raise InputError(
                "Name a benchmark (headwise bench list shows all), or give your own data: "
                "--data-file FILE --task classes; not both."
            )
        return self._named(self.name) if self.name is not None else self._own(self.file or "")

    def _named(self, name: str) -> BenchData:
        from headwise.benchmarks.registry import benchmark
        from headwise.benchmarks.sources import load_rows, load_support

        given: dict[str, object] = {f"--{n}": v for n, v in self.columns.items()}
        given |= {"--task": self.task, "--support-file": self.support}
        given |= {"--skip-bad": self.skip_bad or None}
        _refuse(given, "--data-file")
        found = benchmark(name)
        items = found.items(load_rows(found.header, self.data))
        rows = load_support(found.header, self.data)
        return BenchData(found, items, None if rows is None else found.items(rows))

    def _own(self, file: str) -> BenchData:
        from headwise.evaluation.own_data import Columns, own_data
        from headwise.readers import open_source

        if self.data is not None:
            raise InputError("--data is where a named benchmark's data is; give one or the other.")
        source = open_source(file)
        named = {**self.columns, "image": image_column(self.columns["image"])}
        own = own_data(source, self.task or _task_of(source), Columns(**named))  # type: ignore[arg-type]
        items = own.read(source, skip_bad=self.skip_bad)
        if self.support is None:
            return BenchData(own, items, None)
        support = own.read(self.support, skip_bad=self.skip_bad, name="support")
        return BenchData(own, items, support)


@dataclass(frozen=True, slots=True)
class MethodsChoice:
    """What is compared and how, as the options say.

    Args:
        names: The methods; the usual ones of the task where None.
        shots: Numbers of support examples.
        seeds: Seeds.
        fit_on: What methods are fitted on.
        instruction: How classifiers ask.
        system: A system turn of theirs.
        criterion: What a good response does.
        answer_form: What a free answer is; by the benchmark where None.
        judge: What rates answers.
    """

    names: tuple[str, ...] | None
    shots: tuple[int, ...]
    seeds: tuple[int, ...]
    fit_on: FitOn
    instruction: str
    system: str | None
    criterion: str
    answer_form: Literal["free", "word", "yes-no"] | None
    judge: str | None

    def plan(self, data: BenchData, limit: int | None) -> Plan:
        """What is run.

        Args:
            data: On which data.
            limit: How many items to score.

        Returns:
            The plan.

        Raises:
            InputError: A method is unknown, or there are too few items.
        """
        from headwise.evaluation.named import DEFAULT_METHODS, NamedSettings, contenders
        from headwise.evaluation.plan import Plan

        header = data.benchmark.header
        form = self.answer_form or ("free" if header.judge else "word")
        settings = NamedSettings(self.instruction, self.criterion, form, self.system)
        names = [name.strip() for name in self.names or DEFAULT_METHODS[header.task]]
        known = [*data.items, *(data.support or ())]
        return Plan.of(
            data.benchmark,
            data.items,
            contenders(names, header.task, known, settings),
            support=data.support,
            shots=self.shots,
            seeds=self.seeds,
            fit_on=self.fit_on,
            limit=limit,
        )


@dataclass(frozen=True, slots=True)
class BenchJob:
    """An evaluation from the command line.

    Args:
        data: On what.
        methods: Of what.
        engine: On which model.
        out: The results file.
        overwrite: Whether to begin anew.
    """

    data: DataChoice
    methods: MethodsChoice
    engine: EngineLater
    out: Path | None
    overwrite: bool

    def run(self, command: tuple[str, ...], *, json: bool) -> None:
        """Runs it and tells what was found.

        Args:
            command: What was typed.
            json: Whether for machines.

        Raises:
            InputError: Anything given is wrong.
            HeadwiseError: A method failed; told after everything else.
        """
        from headwise.evaluation.runner import run
        from headwise.evaluation.summary import summarize

        ledger = self._ledger()
        data = self.data.read()
        data = self._judged(data)
        plan = self.methods.plan(data, self.data.limit)
        quiet = self.engine.quiet
        if not quiet:
            tell(_announced(plan))
        found = run(
            plan,
            self.engine.engine,
            ledger,
            command=command,
            overwrite=self.overwrite,
            progress=not quiet,
        )
        if self.out is not None:
            found.write(self.out)
        [summary] = summarize([found])
        if json:
            write_json(bench_json(summary, None if self.out is None else str(self.out)))
        else:
            show(*bench_tables(summary))
        for note in found.notes:
            warn(note)
        if self.out is not None and not quiet:
            tell(
                f"All outputs are in {self.out}. A page of them: headwise report {self.out} -o DIR"
            )
        _require_all(found)

    def _ledger(self) -> Path | None:
        if self.out is None:
            if self.overwrite:
                raise InputError("--overwrite is for the results file: -o RESULTS.json.")
            return None
        if self.out.suffix != ".json":
            raise InputError(f"The results are JSON; name {self.out} with .json at its end.")
        ledger = self.out.with_name(f"{self.out.stem}.ledger.jsonl")
        if self.out.exists() and not ledger.exists() and not self.overwrite:
            raise InputError(
                f"{self.out} exists, and no ledger beside it says which run it is of. Name another "
                "file, or replace it: --overwrite."
            )
        return ledger

    def _judged(self, data: BenchData) -> BenchData:
        header, judge = data.benchmark.header, self.methods.judge
        if not header.judge:
            if judge is not None:
                raise InputError(f"{header.title} has no answers rated; leave --judge out.")
            return data
        if judge is None:
            raise InputError(
                f"A model rates the answers to {header.title}: --judge ID, better a strong one."
            )
        choice = ModelChoice(judge, None, None, self.engine.choice.device)
        rater = load_engine(choice, quiet=self.engine.quiet).as_engine
        benchmark: Any = data.benchmark
        return BenchData(benchmark.judged_by(rater), data.items, data.support)


def _task_of(source: Any) -> Task:
    from headwise.readers import detect_kind

    if detect_kind(source) == "preferences":
        return "rewards"
    raise InputError(
        f"Say what {source.name} is: --task classes (texts or images with a class each) or --task "
        "answers (questions with free answers); preference pairs are --task rewards."
    )


def _announced(plan: Plan) -> str:
    trials = len(plan.trials)
    pool = f", {len(plan.pool)} items to learn from" if plan.pool else ""
    return (
        f"{plan.benchmark.header.title}: {len(plan.scored)} scored items{pool}; {trials} runs of "
        f"{len(plan.contenders)} methods."
    )


def _require_all(found: BenchResult) -> None:
    if not found.failed:
        return
    reasons = dict.fromkeys(f"{run.method}: {run.error}" for run in found.failed)
    shown = "\n  ".join(reasons)
    raise HeadwiseError(f"{len(found.failed)} of {len(found.runs)} runs failed:\n  {shown}")


def _refuse(options: Mapping[str, object], what: str) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise InputError(f"{', '.join(given)} is for your own data: {what} FILE.")
