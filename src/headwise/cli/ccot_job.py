"""`headwise ccot` over the rows of a file: what is read, written and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from rich.text import Text

from headwise.cli.ccot_method import MethodChoice
from headwise.cli.console import facts
from headwise.cli.engine_choice import EngineLater
from headwise.cli.figures import JobFigures, percent
from headwise.cli.inputs import Lines, lines_of, rows_at
from headwise.cli.rows import Target, Written, input_identity, write_rows
from headwise.errors import InputError
from headwise.examples import Example
from headwise.jobs import Row
from headwise.methods.answers import Answered, Answerer
from headwise.prompts.answer_format import AnswerFormat, Question
from headwise.prompts.answer_reading import is_right, letter_of
from headwise.readers import BadRow, ReadResult
from headwise.readers.result import refuse_bad_rows

GAINED = ("prediction", "generated", "written", "graph", "graph_status")


@dataclass(frozen=True, slots=True)
class CcotFigures:
    """How questions were answered.

    Args:
        job: What is counted of every job.
        labelled_rows: Rows with a label.
        accuracy: Share of those that are answered as labelled; None without any.
        unread_rows: Rows whose text holds no answer of the format; they count as wrong.
        graphs: How many graphs were parsed, repaired, and used as text, those of earlier runs
            included.
        calls: Prompts that the model was given in this run.
        prompt_tokens: Tokens it read in this run; None where the engine does not count them.
        completion_tokens: Tokens it wrote in this run.
    """

    job: JobFigures
    labelled_rows: int
    accuracy: float | None
    unread_rows: int
    graphs: dict[str, int]
    calls: int
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass
class Spent:
    """What a run took so far."""

    calls: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass
class CcotJob:
    """Answers the rows of a file.

    Args:
        method: How.
        engine: On what.
        spent: What it took so far.
    """

    method: MethodChoice
    engine: EngineLater
    spent: Spent = field(default_factory=Spent)
    _answerer: Answerer | None = None

    def run(
        self, target: Target, lines: Lines[Example], options: dict[str, str | bool | None]
    ) -> CcotFigures:
        """Computes and writes the rows.

        Args:
            target: Where to.
            lines: The rows of the input.
            options: What else makes two jobs the same.

        Returns:
            The figures.
        """
        same = {**options, **self.engine.identity, "method": self.method.identity}
        written = write_rows(
            target,
            lines,
            self._gains(),
            input_identity(lines, same),
            gained=GAINED,
            description="" if self.engine.quiet else "Answering",
        )
        return self._figures(lines, written)

    def answerer(self) -> Answerer:
        """The method on its engine, made once: it remembers graphs from chunk to chunk."""
        if self._answerer is None:
            self._answerer = self.method.on(self.engine.engine)
        return self._answerer

    def _gains(self) -> Callable[[Sequence[Example]], list[Row]]:
        def gains(examples: Sequence[Example]) -> list[Row]:
            answers = self.answerer().answer(examples)
            self.spent.calls += answers.n_calls
            if answers.usage is not None:
                read, wrote = self.spent.prompt_tokens or 0, self.spent.completion_tokens or 0
                self.spent.prompt_tokens = read + answers.usage.prompt_tokens
                self.spent.completion_tokens = wrote + answers.usage.completion_tokens
            return [gained_by(answered) for answered in answers]

        return gains

    def _figures(self, lines: Lines[Example], written: Written) -> CcotFigures:
        right: list[bool] = []
        n_unread = n_failed = 0
        graphs: Counter[str] = Counter({"parsed": 0, "repaired": 0, "text": 0})
        for line, row in zip(lines.lines, written.rows, strict=True):
            if row.get("error") is not None:
                n_failed += 1
                continue
            n_unread += row["prediction"] is None
            if row["graph_status"] is not None:
                graphs[str(row["graph_status"])] += 1
            if line.item.label is not None:
                found = row["prediction"]
                question = Question.of(line.item, self.method.form)
                answer = None if found is None else str(found)
                right.append(is_right(answer, line.item.label, question))
        return CcotFigures(
            job=JobFigures.of(lines, written, 0, self.engine.load_seconds, failed_rows=n_failed),
            labelled_rows=len(right),
            accuracy=sum(right) / len(right) if right else None,
            unread_rows=n_unread,
            graphs=dict(graphs),
            calls=self.spent.calls,
            prompt_tokens=self.spent.prompt_tokens,
            completion_tokens=self.spent.completion_tokens,
        )


def gained_by(answered: Answered) -> Row:
    """What an answer adds to a row."""
    reading = answered.graph
    graph = None if reading is None or reading.graph is None else reading.graph.to_value()
    return {
        "prediction": answered.answer,
        "generated": answered.text,
        "written": answered.written,
        "graph": graph,
        "graph_status": None if reading is None else reading.status.value,
    }


def checked_lines(
    source: str, result: ReadResult[Example], method: MethodChoice, *, skip_bad: bool
) -> Lines[Example]:
    """The rows that can be asked; the others are told before the model runs.

    Args:
        source: The name of the source, for the error.
        result: What was read.
        method: How they will be asked.
        skip_bad: Whether rows that cannot be asked are left out.

    Returns:
        The rows.

    Raises:
        InputError: A row lacks its image, question or options, or its label is no option, and
            `skip_bad` is off; or all rows do.
    """
    images = [bool(example.images) for example in result.items]
    if method.needs_images and not any(images):
        columns = ", ".join(result.rows[0]) if result.rows else "none"
        raise InputError(
            f"No row of {source} has an image, and a scene graph is written of one. Name the "
            f"column of the images: --image COL (columns: {columns}); paths in it are read from "
            "where the file is. To ask without images: --ablation direct."
        )
    kept, bad = [], []
    for number, example in enumerate(result.items):
        reason = _reason(example, method.form)
        if method.needs_images and not example.images:
            reason = ("no image", "one: a scene graph is written of it")
        if reason is None:
            kept.append(number)
        else:
            bad.append(BadRow(result.locations[number], *reason))
    if bad and (not skip_bad or not kept):
        refuse_bad_rows(source, bad, len(result))
    chosen = rows_at(result, kept)
    return lines_of(
        ReadResult(chosen.items, chosen.rows, chosen.locations, (*result.bad, *bad)), GAINED
    )


def _reason(example: Example, form: AnswerFormat) -> tuple[str, str] | None:
    try:
        question = Question.of(example, form)
        if form == "options" and example.label is not None:
            letter_of(example.label, question.options)
    except InputError as error:
        return f"what cannot be asked ({str(error).rstrip('.')})", f"a question of format {form}"
    return None


def as_json(figures: CcotFigures, output: str) -> dict[str, object]:
    """The figures as one flat JSON object; the job's own last."""
    values = asdict(figures)
    job = values.pop("job")
    return {"output": output, **values, **job}


def told(figures: CcotFigures) -> Text:
    """The figures for a person."""
    job = figures.job
    counted = [f"{count} {status}" for status, count in figures.graphs.items()]
    tokens = ""
    if figures.prompt_tokens is not None:
        tokens = f", {figures.prompt_tokens} tokens read, {figures.completion_tokens} written"
    again = f" ({job.resumed_rows} from before)" if job.resumed_rows else ""
    return facts(
        "Answers",
        {
            "accuracy": percent(figures.accuracy, f"of {figures.labelled_rows} labelled rows"),
            "graphs": ", ".join(counted) if any(figures.graphs.values()) else None,
            "unread": f"{figures.unread_rows} texts without an answer"
            if figures.unread_rows
            else None,
            "rows": f"{job.rows}{again}",
            "left out": f"{job.bad_rows} bad rows" if job.bad_rows else None,
            "failed": f"{job.failed_rows} rows with a bad image" if job.failed_rows else None,
            "calls": f"{figures.calls}{tokens}",
            "time": f"{job.seconds:.1f} s",
        },
    )
