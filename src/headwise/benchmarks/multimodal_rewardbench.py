"""Multimodal RewardBench: which of two responses to a picture is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.matching import overall, part_means
from headwise.benchmarks.scoring.pairs import pair_wins
from headwise.evaluation.items import Header, Item, Measure, Output, RewardItem

HEADER = Header(
    name="multimodal-rewardbench",
    title="Multimodal RewardBench",
    task="rewards",
    dataset="syhuggingface/multimodal_rewardbench",
    split="test",
    licence="cc-by-nc-4.0",
    fields={
        "ID": "a name; tells the halves of safety and reasoning apart",
        "Text": "the prompt",
        "Image": "its picture",
        "Output1": "a response",
        "Output2": "another",
        "Better": '"Output1" or "Output2"',
        "Category": "one of six",
    },
    scoring="Accuracy over all pairs, and of each category; safety is told apart into bias (IDs "
    "that begin with pairs) and toxicity, reasoning into math (IDs that begin with math) and "
    "coding. A pair is won where the better response has the strictly higher reward.",
    paper="arXiv:2502.14191",
    images=True,
    source="https://github.com/facebookresearch/multimodal_rewardbench",
    notes="The Hub's copy is a mirror; the official data is data/all_data.json of the repository, "
    "with pictures that its script downloads. The Hateful Memes part is not published. The "
    "official code is for judges that name one response and draws lots where they name none; here "
    "a tie is a loss.",
)


@dataclass(frozen=True)
class MultimodalRewardBench:
    """Multimodal RewardBench.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Pairs with a picture; see `Benchmark.items`."""
        read = as_rows(rows)
        ids = distinct([row.text("ID") for row in read])
        found: list[Item] = []
        for name, row in zip(ids, read, strict=True):
            outputs = [row.text(n, may_be_empty=True) for n in ("Output1", "Output2")]
            better = row.text("Better").strip().casefold()
            if better not in ("output1", "output2"):
                row.refuse(f"{better!r} in column 'Better'", '"Output1" or "Output2"')
            if better == "output2":
                outputs.reverse()
            images = row.images("Image")
            found.append(
                RewardItem(
                    name, row.text("Text"), tuple(outputs), split=_category(row), images=images
                )
            )
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Accuracy over all and of each category; see `Benchmark.measures`."""
        wins = pair_wins(items, outputs)
        return [overall("accuracy", wins), *part_means("accuracy", wins)]


def _category(row: Row) -> str:
    category, name = row.text("Category"), row.text("ID").casefold()
    if category.casefold() == "safety":
        return "safety/bias" if name.startswith("pairs") else "safety/toxicity"
    if category.casefold() == "reasoning":
        return "reasoning/math" if name.startswith("math") else "reasoning/coding"
    return category


BENCHMARK = MultimodalRewardBench()
