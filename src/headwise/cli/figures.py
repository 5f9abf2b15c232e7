"""What is known of a finished job, for people and for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.text import Text

from headwise.cli.console import facts
from headwise.cli.inputs import Lines
from headwise.cli.rows import Written


@dataclass(frozen=True, slots=True)
class JobFigures:
    """What every command that writes rows counts.

    Args:
        rows: Rows in the output.
        bad_rows: Rows of the input that were left out.
        failed_rows: Rows of the output with an error, for an image could not be decoded.
        truncated_rows: Rows with a text that was cut.
        replaced_numbers: Numbers of the input that were NaN or infinite and became null.
        resumed_rows: Rows that an earlier run had written.
        load_seconds: Time spent loading the model; 0 where no row was left to do.
        seconds: Time spent on the rows of this run.
        rows_per_second: Speed on the rows of this run; None where there were none.
    """

    rows: int
    bad_rows: int
    failed_rows: int
    truncated_rows: int
    replaced_numbers: int
    resumed_rows: int
    load_seconds: float
    seconds: float
    rows_per_second: float | None

    @classmethod
    def of(
        cls,
        lines: Lines[Any],
        written: Written,
        truncated_rows: int,
        load_seconds: float,
        *,
        failed_rows: int = 0,
    ) -> JobFigures:
        """Counts a job.

        Args:
            lines: The input.
            written: The output.
            truncated_rows: Rows with a text that was cut.
            load_seconds: Time of the job spent loading the model.
            failed_rows: Rows with an error.

        Returns:
            The figures.
        """
        seconds = written.report.seconds - load_seconds
        n_new = written.report.n_rows - written.report.n_resumed
        speed = n_new / seconds if n_new and seconds > 0 else None
        return cls(
            rows=written.report.n_rows,
            bad_rows=lines.n_bad,
            failed_rows=failed_rows,
            truncated_rows=truncated_rows,
            replaced_numbers=lines.n_replaced,
            resumed_rows=written.report.n_resumed,
            load_seconds=round(load_seconds, 3),
            seconds=round(seconds, 3),
            rows_per_second=None if speed is None else round(speed, 2),
        )


@dataclass(frozen=True, slots=True)
class PredictionFigures:
    """How a classifier did on a file.

    Args:
        job: What is counted of every job.
        labelled_rows: Rows with a label.
        accuracy: Share of the labelled rows that are predicted as labelled; None without any.
        unknown_label_rows: Labelled rows whose label is none of the classifier's classes; they
            count as wrong.
        predictions: How often each class was predicted.
    """

    job: JobFigures
    labelled_rows: int
    accuracy: float | None
    unknown_label_rows: int
    predictions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ScoreFigures:
    """How a reward model did on a file.

    Args:
        job: What is counted of every job.
        mean_reward: Mean reward of single responses; None for pairs.
        labelled_rows: Single responses with a verdict; None for pairs.
        accuracy: Share of those whose reward has the verdict's sign; None without any, and in the
            ranked form, whose rewards have no zero that means anything on its own.
        pair_accuracy: Share of pairs in which the chosen response wins, a tie being half; None
            for single responses.
        mean_margin: Mean log-odds that the chosen response is better; None for single responses.
        pair_accuracy_by_split: The same by the pairs' `split`; empty where they have none.
    """

    job: JobFigures
    mean_reward: float | None = None
    labelled_rows: int | None = None
    accuracy: float | None = None
    pair_accuracy: float | None = None
    mean_margin: float | None = None
    pair_accuracy_by_split: Mapping[str, float] | None = None


def as_json(figures: PredictionFigures | ScoreFigures, **more: str) -> dict[str, object]:
    """The figures as one flat JSON object.

    Args:
        figures: The figures.
        more: What else to say, first.

    Returns:
        The object; the job's own figures last.
    """
    values = asdict(figures)
    job = values.pop("job")
    return {**more, **values, **job}


def told_predictions(figures: PredictionFigures) -> Text:
    """The figures of `predict`, for a person."""
    counts = Counter(dict(figures.predictions)).most_common(10)
    shown = ", ".join(f"{name} {count}" for name, count in counts)
    values = {
        "accuracy": percent(figures.accuracy, f"of {figures.labelled_rows} labelled rows"),
        "predicted": shown + (", ..." if len(figures.predictions) > len(counts) else ""),
    }
    return facts("Predictions", {**values, **_job_facts(figures.job)})


def told_scores(figures: ScoreFigures) -> Text:
    """The figures of `score`, for a person."""
    values = {
        "pair accuracy": percent(figures.pair_accuracy, f"of {figures.job.rows} pairs"),
        "mean margin": number(figures.mean_margin),
        "mean reward": number(figures.mean_reward),
        "accuracy": percent(figures.accuracy, f"of {figures.labelled_rows} judged rows"),
    }
    for split, accuracy in (figures.pair_accuracy_by_split or {}).items():
        values[f"- {split}"] = percent(accuracy, "")
    return facts("Scores", {**values, **_job_facts(figures.job)})


def percent(share: float | None, of_what: str) -> str | None:
    """A share as a person reads it; None stays None."""
    return None if share is None else f"{share:.1%} {of_what}".rstrip()


def number(value: float | None) -> str | None:
    """A number as a person reads it; None stays None."""
    return None if value is None else f"{value:+.3f}"


def _job_facts(job: JobFigures) -> dict[str, str | None]:
    speed = "" if job.rows_per_second is None else f", {job.rows_per_second:.1f} rows/s"
    return {
        "rows": str(job.rows) + (f" ({job.resumed_rows} from before)" if job.resumed_rows else ""),
        "left out": f"{job.bad_rows} bad rows" if job.bad_rows else None,
        "failed": f"{job.failed_rows} rows with a bad image" if job.failed_rows else None,
        "cut": f"{job.truncated_rows} rows with too long a text" if job.truncated_rows else None,
        "time": f"{job.seconds:.1f} s{speed}",
    }
