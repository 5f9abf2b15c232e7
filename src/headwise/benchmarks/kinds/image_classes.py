"""Pictures of classes: the method names the class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.reading.row import as_rows, distinct
from headwise.benchmarks.scoring.choice import is_class
from headwise.benchmarks.scoring.matching import Scored, macro, overall, part_means, replies
from headwise.evaluation.items import Header, Item, Measure, Output, QuestionItem
from headwise.examples import Example

IMAGE = ("image", "img", "file_name", "image_path", "path")
LABEL = ("label", "labels", "class", "class_name", "breed", "category")


@dataclass(frozen=True)
class ImageClasses:
    """A benchmark whose items are pictures of one class each.

    Args:
        header: What it is.
        question: What is asked of each picture.
    """

    header: Header
    question: str

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Pictures; the options are the classes that occur. See `Benchmark.items`."""
        read = as_rows(rows)
        labels = [class_name(row.text(*LABEL)) for row in read]
        ids = distinct(
            [row.optional("id", "image_id") or str(number) for number, row in enumerate(read, 1)]
        )
        options = tuple(sorted(set(labels)))
        return [
            QuestionItem(
                name, Example(self.question, label, images=row.images(*IMAGE)), options, (label,)
            )
            for name, label, row in zip(ids, labels, read, strict=True)
        ]

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Accuracy, and its mean over classes; see `Benchmark.measures`."""
        scored = [
            Scored(reply.item, float(is_class(reply)), reply.item.example.label)
            for reply in replies(items, outputs)
        ]
        return [overall("accuracy", scored), macro("class_accuracy", part_means("", scored))]


def class_name(label: str) -> str:
    """A class as it is asked for: `"001.Black_footed_Albatross"` is `"Black footed Albatross"`."""
    beginning, _, rest = label.partition(".")
    return (rest if rest and beginning.isdigit() else label).replace("_", " ").strip()
