"""SEED-Bench: multiple choice about pictures, in nine kinds of question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.kinds.choices import multiple_choice
from headwise.benchmarks.reading.row import as_rows, distinct
from headwise.benchmarks.scoring.choice import is_right
from headwise.benchmarks.scoring.matching import Scored, overall_and_parts, replies
from headwise.errors import InputError
from headwise.evaluation.items import Header, Item, Measure, Output

_KINDS = {
    str(number): kind
    for number, kind in enumerate(
        (
            *("Scene Understanding", "Instance Identity", "Instance Attributes"),
            *("Instance Location", "Instances Counting", "Spatial Relation"),
            *("Instance Interaction", "Visual Reasoning", "Text Understanding"),
        ),
        start=1,
    )
}
_LETTERS = "ABCD"

HEADER = Header(
    name="seed-bench",
    title="SEED-Bench (image)",
    task="answers",
    dataset="lmms-lab/SEED-Bench",
    split="test",
    licence="cc-by-nc-4.0",
    fields={
        "question_id": "a name",
        "question": "the question",
        "choice_a ... choice_d": "the options",
        "answer": "the letter of the right one",
        "data_type": "image or video",
        "image": "the picture",
        "question_type_id": "a number, 1 to 9 for pictures",
    },
    scoring="Accuracy over all questions about pictures, and of each of nine kinds.",
    paper="arXiv:2307.16125",
    images=True,
    notes="Questions about videos are passed over. The names of the kinds by their numbers are "
    "from memory.",
)


@dataclass(frozen=True)
class SeedBench:
    """SEED-Bench.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Questions about pictures; see `Benchmark.items`."""
        read = [
            row
            for row in as_rows(rows)
            if (row.optional("data_type") or "image").casefold() == "image"
        ]
        if not read:
            raise InputError("All rows are about videos; SEED-Bench is scored on pictures.")
        names = distinct([row.optional("question_id") or str(n) for n, row in enumerate(read, 1)])
        found: list[Item] = []
        for name, row in zip(names, read, strict=True):
            options = [row.text(f"choice_{letter.lower()}") for letter in _LETTERS]
            answer = row.text("answer").strip().upper()
            if answer not in tuple(_LETTERS):
                row.refuse(f"the answer {answer!r}", "A, B, C or D")
            kind = row.optional("question_type_id") or "all"
            found.append(
                multiple_choice(
                    name,
                    row.text("question"),
                    options,
                    _LETTERS.index(answer),
                    row.images("image"),
                    split=_KINDS.get(kind, kind),
                )
            )
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Accuracy over all and of each kind; see `Benchmark.measures`."""
        scored = [Scored(one.item, float(is_right(one))) for one in replies(items, outputs)]
        return overall_and_parts("accuracy", scored)


BENCHMARK = SeedBench()
