"""CameraBench: does the camera of a clip move in a certain way?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.kinds.yes_no import yes_no
from headwise.benchmarks.reading.frames import frames_of
from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.choice import is_right
from headwise.benchmarks.scoring.matching import Scored, macro, overall, part_means, replies
from headwise.content import Image
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
    },
    scoring="Accuracy over all questions, of each kind of motion, and the mean of the kinds.",
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
        return [
            yes_no(name, row.text("question"), _frames(row), row.truth("label"), split=kind)
            for name, kind, row in zip(names, kinds, read, strict=True)
        ]

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Accuracy over all, its mean over kinds, and of each; see `Benchmark.measures`."""
        scored = [Scored(one.item, float(is_right(one))) for one in replies(items, outputs)]
        kinds = part_means("accuracy", scored)
        return [overall("accuracy", scored), macro("macro_accuracy", kinds), *kinds]


def _frames(row: Row) -> tuple[Image, ...]:
    named = row.optional(*_CLIP)
    if named is not None and named.casefold().endswith(_VIDEOS):
        row.refuse(f"the video {named!r}", "its frames as a list of pictures in a column 'frames'")
    shown = row.images(*_CLIP)
    return frames_of(shown[0]) if len(shown) == 1 else shown


BENCHMARK = CameraBench()
