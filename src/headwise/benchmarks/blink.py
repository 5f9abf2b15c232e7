"""BLINK: multiple choice about what is seen at a glance, in fourteen tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from headwise.benchmarks.kinds.choices import multiple_choice
from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.choice import is_right
from headwise.benchmarks.scoring.matching import Scored, macro, overall, part_means, replies
from headwise.content import Image
from headwise.evaluation.items import Header, Item, Measure, Output

HEADER = Header(
    name="blink",
    title="BLINK",
    task="classes",
    dataset="BLINK-Benchmark/BLINK",
    split="val",
    licence="apache-2.0",
    fields={
        "idx": "a name",
        "sub_task": "one of 14; else the configuration",
        "prompt": "the question with its options",
        "choices": "the options",
        "answer": 'the letter of the right one, such as "(A)"',
        "image_1 ... image_4": "the pictures; those that are null are not shown",
    },
    scoring="Accuracy over all questions, of each task, and the mean of the tasks.",
    paper="arXiv:2404.12390",
    images=True,
    configs=(
        *("Art_Style", "Counting", "Forensic_Detection", "Functional_Correspondence", "IQ_Test"),
        *("Jigsaw", "Multi-view_Reasoning", "Object_Localization", "Relative_Depth"),
        *("Relative_Reflectance", "Semantic_Correspondence", "Spatial_Relation"),
        *("Visual_Correspondence", "Visual_Similarity"),
    ),
    notes="The answers of the test split are not published. Sparse Attention Vectors are fitted "
    "for each task on its own.",
)


@dataclass(frozen=True)
class Blink:
    """BLINK.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Questions; their text has the options, as published. See `Benchmark.items`."""
        read = as_rows(rows)
        names = distinct([row.optional("idx", "id") or str(n) for n, row in enumerate(read, 1)])
        found: list[Item] = []
        for name, row in zip(names, read, strict=True):
            choices = row.texts("choices")
            answer = row.text("answer").strip().strip("()").upper()
            if answer not in ascii_uppercase[: len(choices)] or len(answer) != 1:
                row.refuse(
                    f"the answer {row.text('answer')!r} of {len(choices)} choices",
                    "the letter of one (the test split hides them; use val)",
                )
            place = ascii_uppercase.index(answer)
            split = row.optional("sub_task") or row.part or "all"
            text = row.text("prompt")
            found.append(multiple_choice(name, text, choices, place, _images(row), split=split))
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Accuracy over all, its mean over tasks, and of each; see `Benchmark.measures`."""
        scored = [Scored(one.item, float(is_right(one))) for one in replies(items, outputs)]
        tasks = part_means("accuracy", scored)
        return [overall("accuracy", scored), macro("macro_accuracy", tasks), *tasks]


def _images(row: Row) -> tuple[Image, ...]:
    shown = row.images("image_1", "image")
    for number in range(2, 5):
        shown += row.images(f"image_{number}", required=False)
    return shown


BENCHMARK = Blink()
