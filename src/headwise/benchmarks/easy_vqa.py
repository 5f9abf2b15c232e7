"""easy-VQA: simple questions about a drawn shape."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from headwise.benchmarks.reading.row import Row, as_rows
from headwise.benchmarks.scoring.choice import is_right
from headwise.benchmarks.scoring.matching import Scored, overall_and_parts, replies
from headwise.evaluation.items import Header, Item, Measure, Output, QuestionItem
from headwise.examples import Example

_SHAPES = ("circle", "rectangle", "triangle")
_COLORS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
_YES_NO = ("Yes", "No")

HEADER = Header(
    name="easy-vqa",
    title="easy-VQA",
    task="classes",
    dataset="",
    split="test",
    licence="mit",
    fields={
        "question": "the question; also 0, as the package's lists have it",
        "answer": "a shape, a colour, yes or no; also 1",
        "image": "the picture; or its number, also 2, of images/NUMBER.png",
    },
    scoring="Accuracy over all questions and of each kind: shape, color and yes-no.",
    paper="https://victorzhou.com/blog/easy-vqa/",
    images=True,
    support="train",
    source="the package easy-vqa (pip install --no-deps easy-vqa): its folder easy_vqa/data",
)


@dataclass(frozen=True)
class EasyVqa:
    """easy-VQA.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Questions; the options are those of their kind. See `Benchmark.items`."""
        return [_item(number, row) for number, row in enumerate(as_rows(rows), start=1)]

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Accuracy over all and of each kind; see `Benchmark.measures`."""
        scored = [Scored(one.item, float(is_right(one))) for one in replies(items, outputs)]
        return overall_and_parts("accuracy", scored)


def _item(number: int, row: Row) -> QuestionItem:
    answer = row.text("answer", "1").strip().casefold()
    options: tuple[str, ...]
    if answer in ("yes", "no"):
        answer, kind, options = answer.capitalize(), "yes-no", _YES_NO
    elif answer in _SHAPES:
        kind, options = "shape", _SHAPES
    elif answer in _COLORS:
        kind, options = "color", _COLORS
    else:
        row.refuse(f"the answer {answer!r}", "a shape, a colour, yes or no")
    example = Example(row.text("question", "0"), answer, images=_pictured(row).images("image"))
    return QuestionItem(str(number), example, options, (answer,), split=kind)


def _pictured(row: Row) -> Row:
    """The row with the file of its picture, where it has the picture's number."""
    name = row.optional("image", "image_id", "2")
    if name is None or not re.fullmatch(r"\d+", name):
        return row
    values = {**row.raw.values, "image": f"images/{name}.png"}
    return replace(row, raw=replace(row.raw, values=values))


BENCHMARK = EasyVqa()
