"""LLaVA-Bench (in the wild): open questions whose answers a model judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.judging import Judge, Judged, Rating, judged_by, relative_scores
from headwise.benchmarks.scoring.matching import replies
from headwise.errors import InputError
from headwise.evaluation.items import Header, Item, Measure, Output, QuestionItem
from headwise.examples import Example
from headwise.readers.values import is_list

HEADER = Header(
    name="llava-bench",
    title="LLaVA-Bench (in the wild)",
    task="answers",
    dataset="lmms-lab/llava-bench-in-the-wild",
    split="train",
    licence="unknown",
    fields={
        "question_id": "a name",
        "image": "the picture",
        "question": "the question",
        "category": "conv, detail or complex",
        "caption": "a description of the picture, for the judge; text or a list of texts",
        "gpt_answer": "the reference answer",
    },
    scoring="A judge rates the reference and the answer from 1 to 10 each; the score is the sum of "
    "the answers' ratings divided by that of the references', over all and of each category. It "
    "may exceed 1.",
    paper="arXiv:2304.08485",
    images=True,
    judge=True,
    notes="Official figures are percentages with GPT-4 (gpt-4-0314, later gpt-4-0613) as the judge "
    "and its own prompts; with any other judge they cannot be compared. The judge's prompt is in "
    "our own words.",
)


@dataclass(frozen=True)
class LlavaBench:
    """LLaVA-Bench in the wild.

    Args:
        header: What it is.
        judge: What rates answers; None until `judged_by`.
    """

    header: Header = HEADER
    judge: Judge | None = None

    def judged_by(self, judge: Judge) -> LlavaBench:
        """The same benchmark with a judge: any engine that generates.

        Args:
            judge: The engine.

        Returns:
            The benchmark, whose `measures` has answers rated.
        """
        return replace(self, judge=judge)

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Questions with a reference each; see `Benchmark.items`."""
        read = as_rows(rows)
        names = distinct([row.optional("question_id") or str(n) for n, row in enumerate(read, 1)])
        found: list[Item] = []
        for name, row in zip(names, read, strict=True):
            reference = row.text("gpt_answer", "reference", "answer")
            example = Example(row.text("question"), reference, images=row.images("image"))
            split = row.optional("category") or "all"
            tags = {"caption": _caption(row)}
            found.append(
                QuestionItem(name, example, references=(reference,), split=split, tags=tags)
            )
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """The relative score over all and of each category; see `Benchmark.measures`.

        Raises:
            InputError: There is no judge.
        """
        if self.judge is None:
            raise InputError(
                "LLaVA-Bench is scored by a model that rates answers; give one with judged_by(...),"
                " or ratings with measures_of(...)."
            )
        return relative_scores(judged_by(self.judge, replies(items, outputs)))

    def measures_of(self, items: Sequence[Item], ratings: Sequence[Rating | None]) -> list[Measure]:
        """The figures of ratings that were made elsewhere.

        Args:
            items: `n` items.
            ratings: `n` ratings in their order; None where one could not be had.

        Returns:
            As `measures`.

        Raises:
            InputError: The numbers differ, or nothing was rated.
        """
        if len(items) != len(ratings):
            raise InputError(f"There are {len(items)} items and {len(ratings)} ratings.")
        return relative_scores(
            [Judged(rating, item.split) for item, rating in zip(items, ratings, strict=True)]
        )


def _caption(row: Row) -> str:
    column = row.find("caption", "captions")
    if column is None:
        return ""
    is_many = is_list(row[column])
    return "\n".join(row.texts(column)) if is_many else row.optional(column) or ""


BENCHMARK = LlavaBench()
