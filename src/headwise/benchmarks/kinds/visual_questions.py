"""Questions about pictures that several people answered: scored by VQA accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.matching import Scored, overall_and_parts, replies
from headwise.benchmarks.scoring.vqa_accuracy import vqa_accuracy
from headwise.evaluation.items import Header, Item, Measure, Output, QuestionItem
from headwise.examples import Example


@dataclass(frozen=True)
class VisualQuestions:
    """A benchmark of questions with the answers of ten people each.

    Args:
        header: What it is.
        instruction: What is added to each question; empty for nothing.
        split_by: Columns that tell the kind of a question, by which figures are told apart.
    """

    header: Header
    instruction: str = ""
    split_by: tuple[str, ...] = ()

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Questions; the label is what most people answered. See `Benchmark.items`."""
        read = as_rows(rows)
        names = distinct(
            [
                row.optional("question_id", "id") or str(number)
                for number, row in enumerate(read, start=1)
            ]
        )
        found: list[Item] = []
        for name, row in zip(names, read, strict=True):
            answers = _answers(row)
            usual = Counter(answers).most_common(1)[0][0]
            text = f"{row.text('question').strip()} {self.instruction}".rstrip()
            example = Example(text, usual, images=row.images("image"))
            split = (row.optional(*self.split_by) if self.split_by else None) or "all"
            found.append(QuestionItem(name, example, references=answers, split=split))
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """VQA accuracy, over all and of each kind of question; see `Benchmark.measures`."""
        scored = [
            Scored(one.item, vqa_accuracy(one.output.answer, one.item.references))
            for one in replies(items, outputs)
        ]
        return overall_and_parts("vqa_accuracy", scored)


def _answers(row: Row) -> tuple[str, ...]:
    """What people answered: texts, or objects with an `answer` as the official files have them."""
    held = [
        one.get("answer") if isinstance(one, Mapping) else one for one in row.sequence("answers")
    ]
    return row.texts_of(held, "answers")
