"""MHaluBench: is a claim about a picture hallucinated?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.kinds.yes_no import yes_no
from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.binary import binary_measures
from headwise.benchmarks.scoring.matching import replies
from headwise.evaluation.items import Header, Item, Measure, Output, QuestionItem

_CLAIM = ("claim", "statement")
_CLAIMS = ("claim_list", "claims")
_LABEL = ("claim_label", "label", "answer")
_LABELS = ("ref_claim_label", "claim_labels", "labels")
_IMAGE = ("image", "image_path", "img_path")

HEADER = Header(
    name="mhalubench",
    title="MHaluBench",
    task="classes",
    dataset="openkg/MHaluBench",
    split="val",
    licence="mit",
    fields={
        "image_path": "the picture; also image",
        "claim_list": "claims about it; or claim, one a row",
        "ref_claim_label": '"hallucination" or "non-hallucination" for each; or claim_label, also '
        "yes or no",
        "type": "image-to-text or text-to-image; also task_type; optional",
    },
    scoring="Accuracy over claims and by type; F1 of the hallucinated ones, and the mean of both "
    "labels' F1.",
    paper="arXiv:2402.03190",
    images=True,
    files=("MHaluBench_val-v0.2.json",),
    checked=False,
    notes="The columns are those of the published training set; that the validation set has the "
    "same was not checked. The Hub's table names pictures and does not hold them: download them, "
    "and give the folder.",
)


@dataclass(frozen=True)
class MHaluBench:
    """MHaluBench.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Claims; Yes is hallucinated. See `Benchmark.items`."""
        found: list[QuestionItem] = []
        for number, row in enumerate(as_rows(rows), start=1):
            images = row.images(*_IMAGE)
            kind = row.optional("type", "task_type", "task type") or row.part or "all"
            name = row.optional("id") or str(number)
            for place, (claim, hallucinated) in enumerate(_claims(row), start=1):
                text = f"Claim: {claim}\nIs the claim hallucinated?"
                found.append(yes_no(f"{name}-{place}", text, images, hallucinated, split=kind))
        names = distinct([item.id for item in found])
        return [
            yes_no(name, item.example.text, item.example.images, _is_yes(item), split=item.split)
            for name, item in zip(names, found, strict=True)
        ]

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Accuracy, F1 and macro F1; see `Benchmark.measures`."""
        return binary_measures(replies(items, outputs))


def _is_yes(item: QuestionItem) -> bool:
    return item.example.label == "Yes"


def _claims(row: Row) -> Iterator[tuple[str, bool]]:
    if row.find(*_CLAIMS) is None:
        yield row.text(*_CLAIM), _hallucinated(row, row.text(*_LABEL))
        return
    claims, labels = row.texts(*_CLAIMS), row.texts(*_LABELS)
    if len(claims) != len(labels):
        row.refuse(f"{len(claims)} claims and {len(labels)} labels", "a label for each claim")
    for claim, label in zip(claims, labels, strict=True):
        yield claim, _hallucinated(row, label)


def _hallucinated(row: Row, label: str) -> bool:
    plain = label.strip().casefold()
    if plain in ("hallucination", "hallucinatory", "yes"):
        return True
    if plain not in ("non-hallucination", "non-hallucinatory", "no"):
        row.refuse(f"the label {label!r}", '"hallucination" or "non-hallucination"')
    return False


BENCHMARK = MHaluBench()
