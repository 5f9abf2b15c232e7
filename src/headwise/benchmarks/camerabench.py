"""CameraBench: does the camera of a clip move in a certain way?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.kinds.yes_no import yes_no
from headwise.benchmarks.reading.frames import frames_of
from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.choice import is_right
from headwise.benchmarks.scoring.groups import DIAGONAL, FOUR, square_accuracies
from headwise.benchmarks.scoring.matching import Scored, macro, overall, part_means, replies
from headwise.content import Image
from headwise.errors import InputError
from headwise.evaluation.items import Header, Item, Measure, Output

_CLIP = ("frames", "images", "image", "video", "path", "first_frame")
_VIDEOS = (".mp4", ".webm", ".mov", ".avi", ".mkv")

HEADER = Header(
    name="camerabench",
    title="CameraBench",
    task="classes",
    dataset="",
    split="test",
    licence="cc-by-4.0",
    fields={
        "frames": "the frames of the clip, a list of pictures, or an animated picture (GIF); also "
        "image, video",
        "question": "the question",
        "label": "Yes or No",
        "task": "the kind of motion; else the name of the file",
        "Index": "instead of label: four in a row are two questions on two clips, with yes to "
        "question 0 on clip 0 and question 1 on clip 1, else no",
    },
    scoring="Accuracy over all questions, of each kind of motion, and the mean of the kinds. Where "
    "the rows are groups of two questions on two clips (Index) also question_accuracy (Q-Acc): a "
    "question counts where it is right on both.",
    paper="arXiv:2504.15376",
    images=True,
    source="https://github.com/chancharikmitra/SAVs (data/camerabench_testset), with the clips of "
    "syCen/CameraBench on the Hub",
    notes="The columns are those of the questions that Sparse Attention Vectors (arXiv:2412.00142) "
    "are tested on; the Hub's table has labels and no questions. Of an animated picture eight "
    "evenly spaced frames are shown. Videos are not decoded: extract frames first, and list them "
    "in a column frames.",
)


@dataclass(frozen=True)
class CameraBench:
    """CameraBench.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Questions about clips; see `Benchmark.items`."""
        read = as_rows(rows)
        kinds = [row.optional("task", "label_name") or row.part or "all" for row in read]
        names = distinct([f"{kind}-{n}" for n, kind in enumerate(kinds, start=1)])
        in_fours = read[0].find("label", "answer") is None
        if in_fours and len(read) % 4:
            raise InputError(
                f"Without labels CameraBench has four rows a group; {len(read)} are no whole "
                "groups. Read a multiple of four, or give a column label."
            )
        found: list[Item] = []
        for place, (name, kind, row) in enumerate(zip(names, kinds, read, strict=True)):
            group, tags, label = None, {}, False
            if in_fours:
                group, cell = _place(row, place)
                tags, label = {"cell": cell}, cell in DIAGONAL
            else:
                label = row.truth("label", "answer")
            text = row.text("question")
            found.append(
                yes_no(name, text, _frames(row), label, split=kind, group=group, tags=tags)
            )
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Accuracy over all, its mean over kinds, and of each; see `Benchmark.measures`."""
        given = replies(items, outputs)
        scored = [Scored(one.item, float(is_right(one))) for one in given]
        kinds = part_means("accuracy", scored)
        found = [overall("accuracy", scored), macro("macro_accuracy", kinds), *kinds]
        if all(one.item.group is not None for one in given):
            squares = square_accuracies(given, is_right)
            found.insert(1, Measure("question_accuracy", squares.question, 2 * squares.n))
        return found


def _place(row: Row, place: int) -> tuple[str, str]:
    """The group of a row without label, and which of its four it is."""
    index = row.text("Index")
    if not index.isdigit() or int(index) % 4 != place % 4:
        row.refuse(f"Index {index!r} in place {place + 1}", "the rows in the order of their Index")
    return str(int(index) // 4), FOUR[place % 4]


def _frames(row: Row) -> tuple[Image, ...]:
    named = row.optional(*_CLIP)
    if named is not None and named.casefold().endswith(_VIDEOS):
        row.refuse(f"the video {named!r}", "its frames as a list of pictures in a column 'frames'")
    shown = row.images(*_CLIP)
    return frames_of(shown[0]) if len(shown) == 1 else shown


BENCHMARK = CameraBench()
