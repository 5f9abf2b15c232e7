"""SugarCrepe: does a caption describe a picture, or one that differs in a detail?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.kinds.yes_no import yes_no
from headwise.benchmarks.reading.row import as_rows, distinct
from headwise.benchmarks.scoring.choice import chance
from headwise.benchmarks.scoring.groups import groups_of
from headwise.benchmarks.scoring.matching import Scored, macro, overall, part_means, replies
from headwise.evaluation.items import Header, Item, Measure, Output

_MEMBERS = ("caption", "negative")

HEADER = Header(
    name="sugarcrepe",
    title="SugarCrepe",
    task="classes",
    dataset="",
    split="val2017",
    licence="mit",
    fields={
        "filename": "the picture, of COCO 2017's validation set",
        "caption": "its caption",
        "negative_caption": "one that differs in a detail",
        "category": "the kind of detail; else the name of the file",
    },
    scoring="A pair is right where the caption scores strictly higher than the other: by the "
    "probability of Yes, or by 1 and 0 where only an answer is given (then: Yes to the caption and "
    "No to the other). Accuracy of each of seven kinds, and over all pairs.",
    paper="arXiv:2306.14610",
    images=True,
    files=(
        *("add_att.json", "add_obj.json", "replace_att.json", "replace_obj.json"),
        *("replace_rel.json", "swap_att.json", "swap_obj.json"),
    ),
    source="https://github.com/RAIVNLab/sugar-crepe (data/) with COCO's val2017 beside it",
    notes="The official code gives the accuracy of each kind; those over all pairs and the mean of "
    "the kinds are added. The licence was not checked.",
)


@dataclass(frozen=True)
class SugarCrepe:
    """SugarCrepe.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Two questions a row: its caption, and the other. See `Benchmark.items`."""
        read = as_rows(rows)
        kinds = [row.optional("category") or row.part or "all" for row in read]
        names = distinct(
            [
                f"{kind}-{row.optional('id') or number}"
                for number, (row, kind) in enumerate(zip(read, kinds, strict=True))
            ]
        )
        found: list[Item] = []
        for name, kind, row in zip(names, kinds, read, strict=True):
            images = row.images("filename", "image", "image_path")
            captions = (row.text("caption"), row.text("negative_caption"))
            for member, caption in zip(_MEMBERS, captions, strict=True):
                text = f"Does the caption describe the image? Caption: {caption.strip()}"
                found.append(
                    yes_no(
                        f"{name}-{member}",
                        text,
                        images,
                        member == "caption",
                        split=kind,
                        group=name,
                        tags={"member": member},
                    )
                )
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Accuracy over all pairs, its mean over kinds, and of each; see `Benchmark.measures`."""
        scored = []
        for group in groups_of(replies(items, outputs), "member", _MEMBERS):
            right, wrong = (group.replies[member] for member in _MEMBERS)
            wins = chance(right, "Yes") > chance(wrong, "Yes")
            scored.append(Scored(right.item, float(wins)))
        kinds = part_means("accuracy", scored)
        return [overall("accuracy", scored), macro("macro_accuracy", kinds), *kinds]


BENCHMARK = SugarCrepe()
