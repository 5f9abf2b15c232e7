"""What `label` does: rewards of all completions, kept beside the output, and pairs made of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.text import Text

from headwise.cli.console import facts
from headwise.cli.figures import JobFigures, number
from headwise.cli.inputs import Lines, lines_of
from headwise.cli.models import ModelChoice
from headwise.cli.rows import Target
from headwise.cli.score_job import ScoreJob
from headwise.errors import InputError
from headwise.examples import Judgement
from headwise.jobs import Row, encode_rows
from headwise.readers import ReadResult
from headwise.readers.columns import COMPLETION, PROMPT
from headwise.readers.values import is_list

if TYPE_CHECKING:
    from headwise.artifacts import ArtifactRecord
    from headwise.methods.rewards_folder import RewardsRecord

_SCORED = ("reward", "truncated", "error")


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """How labelling went.

    Args:
        job: What is counted of every job; its rows are completions.
        prompts: Different prompts.
        pairs: Pairs written.
        mean_margin: Their mean margin; None without any.
    """

    job: JobFigures
    prompts: int
    pairs: int
    mean_margin: float | None


@dataclass(frozen=True, slots=True)
class LabelJob:
    """Completions put to a reward model.

    Args:
        record: The reward model, or several criteria's.
        target: Where the pairs go.
        choice: Where its language model is.
        options: Every option that can change a reward.
        min_margin: Pairs whose rewards differ less are left out.
        quiet: Whether to show no progress.
    """

    record: ArtifactRecord | RewardsRecord
    target: Target
    choice: ModelChoice
    options: Mapping[str, str | bool | None]
    min_margin: float
    quiet: bool

    def run(self, result: ReadResult[Judgement]) -> LabelFigures:
        """Scores what is not scored yet, and writes the pairs.

        Args:
            result: The completions.

        Returns:
            The figures.

        Raises:
            InputError: The output holds something else, or the rewards beside it are of another
                job.
        """
        self._check_replaceable()
        lines = lines_of(result, ("reward", "truncated"))
        with self._rewards() as target:
            score = ScoreJob(self.record, target, self.choice, self.options, self.quiet)
            scored = score.of_lines(result, lines)
        pairs = self._pairs(lines, scored.rows)
        content = encode_rows(pairs)
        if self.target.out is None:
            sys.stdout.buffer.write(content)
        elif self.target.is_resumable:
            _replace(self.target.out, content)
        else:
            self.target.out.write_bytes(content)
        margins = [float(str(pair["margin"])) for pair in pairs]
        return LabelFigures(
            job=scored.figures.job,
            prompts=len({*_prompt_keys(lines)}),
            pairs=len(pairs),
            mean_margin=sum(margins) / len(margins) if margins else None,
        )

    @contextmanager
    def _rewards(self) -> Iterator[Target]:
        """Where the rewards of all completions go: beside the output, or nowhere for long."""
        if self.target.out is not None and self.target.is_resumable:
            yield Target(rewards_path(self.target.out), self.target.overwrite)
            return
        with TemporaryDirectory() as folder:
            yield Target(Path(folder) / "rewards.jsonl", overwrite=True)

    def _check_replaceable(self) -> None:
        out = self.target.out
        if out is None or self.target.overwrite or not self.target.is_resumable or not out.exists():
            return
        if out.stat().st_size and not rewards_path(out).exists():
            raise InputError(
                f"{out} exists, and is not the output of headwise label: there is no "
                f"{rewards_path(out).name} beside it. Name another file, or replace it: "
                "--overwrite."
            )

    def _pairs(self, lines: Lines[Judgement], scored: Sequence[Row]) -> list[Row]:
        import numpy as np

        from headwise.methods.labelling import pair_rows

        known = [row for row, gains in enumerate(scored) if gains["reward"] is not None]
        rewards = np.array([float(str(scored[row]["reward"])) for row in known])
        prompts = [lines.lines[row].item.shown_prompt for row in known]
        return [
            _pair(
                lines.lines[known[pair.chosen]].values,
                lines.lines[known[pair.rejected]].values,
                self._columns(lines),
                pair.margin,
            )
            for pair in pair_rows(prompts, rewards, self.min_margin)
        ]

    def _columns(self, lines: Lines[Judgement]) -> _Columns:
        columns = list(dict.fromkeys(name for line in lines.lines for name in line.values))
        prompt, response = self.options["prompt"], self.options["response"]
        taken = [str(name) for name in (prompt, response) if name is not None]
        asked = str(prompt) if prompt is not None else PROMPT.among(columns, taken)
        answered = (
            str(response)
            if response is not None
            else COMPLETION.among(columns, (*taken, asked or ""))
        )
        return _Columns(asked or "", answered or "")


def rewards_path(out: Path) -> Path:
    """The file beside an output that keeps the rewards of all completions."""
    return out.with_name(f"{out.name}.rewards.jsonl")


def as_label_json(figures: LabelFigures, **more: str) -> dict[str, object]:
    """The figures as one flat JSON object; the job's own figures last."""
    values = asdict(figures)
    job = values.pop("job")
    return {**more, **values, **job}


def told_labels(figures: LabelFigures) -> Text:
    """The figures of `label`, for a person."""
    job = figures.job
    resumed = f" ({job.resumed_rows} scored before)" if job.resumed_rows else ""
    return facts(
        "Labels",
        {
            "pairs": f"{figures.pairs} of {figures.prompts} prompts",
            "mean margin": number(figures.mean_margin),
            "completions": f"{job.rows}{resumed}",
            "left out": f"{job.bad_rows} bad rows" if job.bad_rows else None,
            "cut": f"{job.truncated_rows} with too long a text" if job.truncated_rows else None,
            "time": f"{job.seconds:.1f} s",
        },
    )


@dataclass(frozen=True, slots=True)
class _Columns:
    prompt: str
    completion: str


def _pair(chosen: Row, rejected: Row, columns: _Columns, margin: float) -> Row:
    """A row in TRL's preference format; other columns stay where both rows agree on them."""
    prompt = chosen[columns.prompt]
    answers = [row[columns.completion] for row in (chosen, rejected)]
    if is_list(prompt) or any(map(is_list, answers)):
        # TRL reads the prompt in the form of the responses.
        prompt = prompt if is_list(prompt) else [{"role": "user", "content": prompt}]
        answers = [a if is_list(a) else [{"role": "assistant", "content": a}] for a in answers]
    others = {
        name: value
        for name, value in chosen.items()
        if name not in (columns.prompt, columns.completion, *_SCORED)
        and rejected.get(name) == value
    }
    return {
        "prompt": prompt,
        "chosen": answers[0],
        "rejected": answers[1],
        "margin": margin,
        **others,
    }


def _prompt_keys(lines: Lines[Judgement]) -> list[str]:
    from headwise.examples import prompt_key

    return [prompt_key(line.item.shown_prompt) for line in lines.lines]


def _replace(path: Path, content: bytes) -> None:
    """Writes a file wholly or not at all."""
    unfinished = path.with_name(f"{path.name}.new")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
