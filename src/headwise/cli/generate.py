"""`headwise generate`: the answer of a task vector to every row of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from headwise.cli.console import facts, tell, write_json
from headwise.cli.cuts import untold_cuts, warn_of_cuts
from headwise.cli.figures import JobFigures, percent
from headwise.cli.inputs import Lines, lines_of
from headwise.cli.models import LoadedLater, ModelChoice
from headwise.cli.options import (
    ROWS_HELP,
    DeviceOption,
    DtypeOption,
    ImageOption,
    JsonOption,
    LabelOption,
    OtherModelOption,
    OverwriteOption,
    QuietOption,
    RevisionOption,
    RowsOption,
    SkipBadOption,
    TextOption,
    image_column,
    with_line_breaks,
)
from headwise.cli.rows import Target, Written, job_identity, require_all, write_rows
from headwise.errors import InputError
from headwise.examples import Example
from headwise.jobs import Row
from headwise.readers import open_source, read_examples

if TYPE_CHECKING:
    from headwise.artifacts import ArtifactRecord
    from headwise.engines.base import Sampling
    from headwise.methods.task_vector import TaskVector

GAINED = ("generated", "truncated")


@dataclass(frozen=True, slots=True)
class GenerationFigures:
    """How a task vector did on a file.

    Args:
        job: What is counted of every job.
        labelled_rows: Rows with a target.
        accuracy: Share of those whose answer is the target: the same first line but for case and
            outer blanks; None without any.
    """

    job: JobFigures
    labelled_rows: int
    accuracy: float | None


def generate(
    artifact: Annotated[
        str, typer.Argument(metavar="DIR", help="A fitted task vector: a folder, or a Hub id.")
    ],
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help=ROWS_HELP),
    ],
    out: RowsOption = None,
    overwrite: OverwriteOption = False,
    max_new_tokens: Annotated[
        int, typer.Option(metavar="N", min=1, help="Longest answer, in tokens.")
    ] = 64,
    temperature: Annotated[
        float, typer.Option(metavar="T", min=0.0, help="0 takes the likeliest token each time.")
    ] = 0.0,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help=r"End answers here, and leave it out; may be given again; \n is a line break. "
            "An empty line where left out, if the task is put as plain text.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Seed of the choice, with a temperature.")
    ] = 0,
    text: TextOption = None,
    label: LabelOption = None,
    image: ImageOption = None,
    skip_bad: SkipBadOption = False,
    model: OtherModelOption = None,
    revision: RevisionOption = None,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Answer every row of a file as the examples of a task vector were answered.

    Every row comes out as it went in, with two more columns: `generated`, and `truncated`, which
    says whether its text was too long and was cut. Where rows have a target, those whose answer's
    first line is that target, but for case and outer blanks, are counted as right. A row whose
    image cannot be decoded has an `error` instead; the others are not lost.
    """
    from headwise.artifacts.source import read_record
    from headwise.methods.task_vector import TaskVector

    target = Target.checked(out, file, overwrite=overwrite, json=json)
    record = read_record(artifact)
    sampling = _sampling(record, artifact, max_new_tokens, temperature, stop, seed)
    source = open_source(file)
    result = read_examples(
        source,
        text=text,
        label=label,
        image=image_column(image),
        require_label=False,
        skip_bad=skip_bad,
    )
    lines = lines_of(result, GAINED)
    task = LoadedLater(
        partial(TaskVector.from_record, record),
        record,
        ModelChoice(model, revision, dtype, device),
        quiet,
    )
    options = {"text": text, "label": label, "skip_bad": skip_bad, "dtype": dtype}
    options |= {} if image is None else {"image": image}
    written = write_rows(
        target,
        lines,
        _gains(task, sampling),
        job_identity(record, lines, {**options, "sampling": str(sampling)}),
        gained=GAINED,
        description="" if quiet else "Generating",
    )
    figures = _figures(lines, written, task.load_seconds)
    if json:
        shown = {name: value for name, value in asdict(figures).items() if name != "job"}
        write_json({"artifact": artifact, "output": str(out), **shown, **asdict(figures.job)})
    elif not quiet:
        tell(_told(figures))
    require_all(target, figures.job.failed_rows, figures.job.rows, skip_bad=skip_bad)


def _sampling(
    record: ArtifactRecord,
    artifact: str,
    max_new_tokens: int,
    temperature: float,
    stop: Sequence[str] | None,
    seed: int,
) -> Sampling:
    from headwise.engines.base import Sampling
    from headwise.methods.task_record import prompt_from_record
    from headwise.methods.task_vector import TaskVector

    if record.method != TaskVector.method:
        raise InputError(
            f"{artifact} is no task vector: it was made by '{record.method}'. Classifiers are for "
            "headwise predict, reward models for headwise score."
        )
    ends = prompt_from_record(record).stop if not stop else tuple(map(with_line_breaks, stop))
    if "" in ends:
        raise InputError("--stop is empty; give a text of one character at least.")
    return Sampling(max_new_tokens, temperature, seed=seed, stop=ends)


def _gains(
    task: LoadedLater[TaskVector], sampling: Sampling
) -> Callable[[Sequence[Example]], list[Row]]:
    def gains(examples: Sequence[Example]) -> list[Row]:
        with untold_cuts():
            answers = task.value.generate(examples, sampling)
        return [
            {"generated": answer, "truncated": task.engine.has_cut([example.text])}
            for example, answer in zip(examples, answers, strict=True)
        ]

    return gains


def _figures(lines: Lines[Example], written: Written, load_seconds: float) -> GenerationFigures:
    from headwise.methods.task_answers import is_answer

    right: list[bool] = []
    n_cut = n_failed = 0
    for line, row in zip(lines.lines, written.rows, strict=True):
        if row["generated"] is None:
            n_failed += 1
            continue
        n_cut += bool(row["truncated"])
        if line.item.label is not None:
            right.append(is_answer(str(row["generated"]), line.item.label))
    warn_of_cuts(n_cut, len(lines.lines))
    return GenerationFigures(
        job=JobFigures.of(lines, written, n_cut, load_seconds, failed_rows=n_failed),
        labelled_rows=len(right),
        accuracy=sum(right) / len(right) if right else None,
    )


def _told(figures: GenerationFigures) -> Text:
    job = figures.job
    speed = "" if job.rows_per_second is None else f", {job.rows_per_second:.1f} rows/s"
    again = f" ({job.resumed_rows} from before)" if job.resumed_rows else ""
    return facts(
        "Answers",
        {
            "accuracy": percent(figures.accuracy, f"of {figures.labelled_rows} rows with a target"),
            "rows": f"{job.rows}{again}",
            "left out": f"{job.bad_rows} bad rows" if job.bad_rows else None,
            "failed": f"{job.failed_rows} rows with a bad image" if job.failed_rows else None,
            "cut": f"{job.truncated_rows} rows with too long a text"
            if job.truncated_rows
            else None,
            "time": f"{job.seconds:.1f} s{speed}",
        },
    )
