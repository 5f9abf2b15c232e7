"""What an evaluation found, as a file: everything that its figures follow from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from headwise.artifacts.json_value import parse_json
from headwise.engines.base import ModelFingerprint
from headwise.errors import InputError
from headwise.evaluation.contenders import Role
from headwise.evaluation.items import Header, Output
from headwise.evaluation.plan import FitOn
from headwise.evaluation.typed_json import decoded

FORMAT = "headwise-bench"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """What is needed of a scored item to count it.

    Args:
        id: Its name.
        split: Its part of the benchmark.
        group: What items that are scored together have in common.
        truth: The right answer of a question; None for rewards, and where none is known.
        options: What might be answered.
        n_right: Of the responses, how many are right; 0 for questions.
        n_responses: How many responses; 0 for questions.
    """

    id: str
    split: str
    group: str | None
    truth: str | None
    options: tuple[str, ...]
    n_right: int
    n_responses: int


@dataclass(frozen=True, slots=True)
class MethodRecord:
    """A method that took part.

    Args:
        name: Its name.
        role: Whether it is one of headwise's methods or a baseline.
        settings: What makes it what it is, as JSON.
    """

    name: str
    role: Role
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One method with one support, on all items.

    Args:
        method: Its name.
        shots: Support examples, of each class where there are classes; 0 where it does not learn.
        seed: The seed.
        fitted_on: The split that it learned from, in a transfer; else None.
        error: Why it failed; None where it did not.
        support: The ids it learned from, by split; the split is `""` for support of any.
        fit_seconds: Time spent fitting.
        seconds: Time spent on the items.
        prompt_tokens: Read, where the engine counts them.
        completion_tokens: Written, where the engine counts them.
        outputs: What it gave, in the order of the items; none where it failed.
        scores: How right each is, between 0 and 1; see `score_of`.
    """

    method: str
    shots: int
    seed: int
    fitted_on: str | None
    error: str | None
    support: Mapping[str, tuple[str, ...]]
    fit_seconds: float
    seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None
    outputs: tuple[Output, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class OfficialFigure:
    """A figure by the benchmark's own rule: the mean over seeds, with its 95% interval.

    Args:
        method: Whose it is.
        shots: With how many shots.
        fitted_on: The split it learned from, in a transfer.
        name: What is measured.
        split: Of which part.
        n: Of how many items or groups.
        value: The mean over seeds; None where the rule gives no number.
        low: The lower end; None where the rule cannot be put to a resample.
        high: The upper end.
    """

    method: str
    shots: int
    fitted_on: str | None
    name: str
    split: str
    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class BenchResult:
    """All that an evaluation found.

    Args:
        command: What was typed, or called.
        versions: Versions of the packages that the numbers depend on.
        model: The model.
        benchmark: What the benchmark is.
        data: A hash of the scored items and one of the support pool, by name.
        fit_on: What methods were fitted on.
        shots: Numbers of support examples.
        seeds: Seeds.
        methods: Who took part.
        items: The scored items, in order.
        runs: Every run.
        official: The figures by the benchmark's rule; the first of a method is its headline.
        notes: One sentence for each method that the rule could not be put to.
    """

    command: tuple[str, ...]
    versions: Mapping[str, str]
    model: ModelFingerprint
    benchmark: Header
    data: Mapping[str, str]
    fit_on: FitOn
    shots: tuple[int, ...]
    seeds: tuple[int, ...]
    methods: tuple[MethodRecord, ...]
    items: tuple[ItemRecord, ...]
    runs: tuple[Run, ...]
    official: tuple[OfficialFigure, ...]
    notes: tuple[str, ...] = ()
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    @property
    def failed(self) -> tuple[Run, ...]:
        """The runs that failed."""
        return tuple(run for run in self.runs if run.error is not None)

    def write(self, path: Path) -> None:
        """Writes the file, in one piece; what it held before is replaced.

        Args:
            path: The file.

        Raises:
            OSError: It cannot be written.
        """
        unfinished = path.with_name(f"{path.name}.new")
        unfinished.write_bytes(self.to_bytes())
        os.replace(unfinished, path)

    def to_bytes(self) -> bytes:
        """The file's content: JSON with one line an item, a run and a figure."""
        parts = []
        for name, value in asdict(self).items():
            if isinstance(value, tuple) and value and isinstance(value[0], dict):
                rows = ",\n".join(f"  {_json(row)}" for row in value)
                parts.append(f" {_json(name)}: [\n{rows}\n ]")
            else:
                parts.append(f" {_json(name)}: {_json(value)}")
        return ("{\n" + ",\n".join(parts) + "\n}\n").encode()

    @classmethod
    def read(cls, path: Path) -> BenchResult:
        """Reads a file that `write` wrote.

        Args:
            path: The file.

        Returns:
            What it holds.

        Raises:
            InputError: It is no such file, is damaged, or comes from a newer headwise.
            OSError: It cannot be read.
        """
        try:
            document = parse_json(path.read_bytes())
        except ValueError as error:
            raise InputError(f"{path} is not JSON ({error}); give a file of headwise bench.") from (
                error
            )
        if not isinstance(document, Mapping) or document.get("format") != FORMAT:
            raise InputError(f"{path} is not a result of headwise bench (-o RESULTS.json).")
        version = document.get("format_version")
        if not isinstance(version, int) or version > FORMAT_VERSION:
            raise InputError(
                f"{path} was written by a newer headwise (format {version}, this one reads "
                f"{FORMAT_VERSION}). Install the newer one: pip install -U headwise"
            )
        found = decoded(cls, document, str(path))
        found._check(path)
        return found

    def _check(self, path: Path) -> None:
        names = {method.name for method in self.methods}
        for run in self.runs:
            n = 0 if run.error is not None else len(self.items)
            if run.method not in names or len(run.outputs) != n or len(run.scores) != n:
                raise InputError(
                    f"{path}: the run of {run.method!r} (seed {run.seed}) has {len(run.outputs)} "
                    f"outputs and {len(run.scores)} scores for {len(self.items)} items. The file "
                    "was damaged or edited."
                )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
