"""Winoground: which of two captions of the same words belongs to which of two pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.kinds.yes_no import yes_no
from headwise.benchmarks.reading.row import as_rows, distinct
from headwise.benchmarks.scoring.choice import chance
from headwise.benchmarks.scoring.groups import FOUR, groups_of, match_scores
from headwise.benchmarks.scoring.matching import mean, replies
from headwise.evaluation.items import Header, Item, Measure, Output

HEADER = Header(
    name="winoground",
    title="Winoground",
    task="answers",
    dataset="facebook/winoground",
    split="test",
    licence="other (research only, see the data set's licence)",
    fields={
        "id": "a number",
        "image_0": "a picture",
        "image_1": "another",
        "caption_0": "the caption of image_0",
        "caption_1": "the caption of image_1, of the same words",
        "collapsed_tag": "the kind of swap; optional",
    },
    scoring="How well a caption matches a picture is the probability of Yes, or 1 and 0 where "
    "only an answer is given. Text score: for each picture its own caption scores strictly higher. "
    "Image score: for each caption its own picture does. Group score: both.",
    paper="arXiv:2204.03162",
    images=True,
    notes="Gated on the Hub: accept its terms and set HF_TOKEN. With answers alone a tie is lost, "
    "so the figures are below those of probabilities.",
)


@dataclass(frozen=True)
class Winoground:
    """Winoground.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Four questions a row: each caption on each picture. See `Benchmark.items`."""
        read = as_rows(rows)
        names = distinct([row.optional("id") or str(n) for n, row in enumerate(read)])
        found: list[Item] = []
        for name, row in zip(names, read, strict=True):
            images = [row.images("image_0"), row.images("image_1")]
            captions = [row.text("caption_0"), row.text("caption_1")]
            split = row.optional("collapsed_tag") or "all"
            for cell in FOUR:
                caption, image = int(cell[0]), int(cell[1])
                text = f"Does the caption describe the image? Caption: {captions[caption]}"
                found.append(
                    yes_no(
                        f"{name}-c{caption}-i{image}",
                        text,
                        images[image],
                        caption == image,
                        split=split,
                        group=name,
                        tags={"cell": cell},
                    )
                )
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Group, text and image score; see `Benchmark.measures`."""
        scores = [
            match_scores({cell: chance(reply, "Yes") for cell, reply in group.replies.items()})
            for group in groups_of(replies(items, outputs), "cell", FOUR)
        ]
        return [
            Measure("group_score", mean(float(one.group) for one in scores), len(scores)),
            Measure("text_score", mean(float(one.text) for one in scores), len(scores)),
            Measure("image_score", mean(float(one.image) for one in scores), len(scores)),
        ]


BENCHMARK = Winoground()
