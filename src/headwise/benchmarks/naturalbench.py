"""NaturalBench: two questions about two pictures, whose answers alternate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.choice import is_right
from headwise.benchmarks.scoring.groups import DIAGONAL, FOUR, square_accuracies
from headwise.benchmarks.scoring.matching import replies
from headwise.content import Image
from headwise.errors import InputError
from headwise.evaluation.items import Header, Item, Measure, Output, QuestionItem
from headwise.examples import Example

_OPTIONS = {"yes_no": ("Yes", "No"), "multiple_choice": ("A", "B")}

HEADER = Header(
    name="naturalbench",
    title="NaturalBench",
    task="classes",
    dataset="BaiqiL/NaturalBench-lmms-eval",
    split="test",
    licence="apache-2.0",
    fields={
        "Index": "a number; four in a row are one group: question 0 on image 0 and 1, then "
        "question 1",
        "Image": "the picture",
        "Question": "the question, with its options where it has some",
        "Question_Type": "yes_no or multiple_choice",
        "Question_0, Question_1, Image_0, Image_1, Image_0_Question_0, ...": "or a group a row, "
        "with its answers, as BaiqiL/NaturalBench has them",
    },
    scoring="Of each group of two questions on two pictures: G-Acc where all four are right; Q-Acc "
    "the share of questions right on both pictures; I-Acc the share of pictures on which both "
    "questions are right; Acc the share right.",
    paper="arXiv:2410.14669",
    images=True,
    notes="In the form of one question a row the answers are those the official code takes it to "
    "have: Yes or A for question 0 on image 0 and question 1 on image 1, else No or B. The "
    "licence was not checked.",
)


@dataclass(frozen=True)
class NaturalBench:
    """NaturalBench.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Four questions a group; see `Benchmark.items`."""
        read = as_rows(rows)
        if read[0].find("Question_0") is not None:
            names = distinct(
                [row.optional("Index", "id") or str(n) for n, row in enumerate(read, start=1)]
            )
            return [
                item for name, row in zip(names, read, strict=True) for item in _group(name, row)
            ]
        if len(read) % 4:
            raise InputError(
                f"NaturalBench has four rows a group; {len(read)} rows are no whole groups. Read a "
                "multiple of four."
            )
        return [_single(number, row) for number, row in enumerate(read)]

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """G-Acc, Q-Acc, I-Acc and accuracy; see `Benchmark.measures`."""
        found = square_accuracies(replies(items, outputs), is_right)
        return [
            Measure("group_accuracy", found.group, found.n),
            Measure("question_accuracy", found.question, 2 * found.n),
            Measure("image_accuracy", found.image, 2 * found.n),
            Measure("accuracy", found.single, 4 * found.n),
        ]


def _group(name: str, row: Row) -> list[Item]:
    kind = _kind(row)
    questions = [row.text("Question_0"), row.text("Question_1")]
    images = [row.images("Image_0"), row.images("Image_1")]
    found: list[Item] = []
    for cell in FOUR:
        question, image = int(cell[0]), int(cell[1])
        answer = row.text(f"Image_{image}_Question_{question}").strip().capitalize()
        if answer not in _OPTIONS[kind]:
            row.refuse(f"the answer {answer!r} to a {kind} question", " or ".join(_OPTIONS[kind]))
        found.append(_item(name, cell, questions[question], images[image], kind, answer))
    return found


def _single(number: int, row: Row) -> Item:
    cell, kind = FOUR[number % 4], _kind(row)
    given = row.optional("Index")
    if given is not None and given.isdigit() and int(given) % 4 != number % 4:
        row.refuse(f"Index {given} in place {number + 1}", "the rows in the order of their Index")
    answer = _OPTIONS[kind][0 if cell in DIAGONAL else 1]
    group = str(int(given) // 4 if given is not None and given.isdigit() else number // 4)
    return _item(group, cell, row.text("Question"), row.images("Image"), kind, answer)


def _kind(row: Row) -> str:
    kind = (row.optional("Question_Type") or "yes_no").strip().casefold()
    if kind not in _OPTIONS:
        row.refuse(f"the question type {kind!r}", " or ".join(_OPTIONS))
    return kind


def _item(
    group: str, cell: str, question: str, images: tuple[Image, ...], kind: str, answer: str
) -> QuestionItem:
    example = Example(question, answer, images=images)
    name = f"{group}-q{cell[0]}-i{cell[1]}"
    return QuestionItem(
        name, example, _OPTIONS[kind], (answer,), split=kind, group=group, tags={"cell": cell}
    )


BENCHMARK = NaturalBench()
