"""PreferenceHack: pairs in which the worse response carries what reward models fall for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.matching import macro, part_means
from headwise.benchmarks.scoring.pairs import pair_wins
from headwise.evaluation.items import Header, Item, Measure, Output, RewardItem
from headwise.evaluation.released import (
    RELEASED_CHOSEN,
    RELEASED_DATASET,
    RELEASED_PROMPT,
    RELEASED_REJECTED,
    released_preferences,
)
from headwise.examples import Preference

HEADER = Header(
    name="preferencehack",
    title="PreferenceHack",
    task="rewards",
    dataset=RELEASED_DATASET,
    split="train",
    licence="cc-by-4.0",
    fields={
        "prompt": f"the prompt; also {', '.join(RELEASED_PROMPT.names[1:])}",
        "chosen": f"the better response; also {', '.join(RELEASED_CHOSEN.names[1:])}",
        "rejected": f"the one that carries the bias; also {', '.join(RELEASED_REJECTED.names[1:])}",
        "split": "the bias; also subset; else the name of the file",
    },
    scoring="Accuracy of each split (chosen strictly above rejected), and their mean. A model that "
    "falls for the bias is below one half.",
    paper="arXiv:2507.01368",
    files=("data/helpful.jsonl", "data/length.jsonl", "data/positivity.jsonl"),
    checked=False,
    notes="The columns could not be checked: they are found by their usual names. Of the language "
    "splits only; the multimodal ones were not released.",
)


@dataclass(frozen=True)
class PreferenceHack:
    """PreferenceHack.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Pairs; see `Benchmark.items`."""
        pairs = _preferences(as_rows(rows))
        names = distinct([str(pair.id) for pair in pairs])
        return [
            RewardItem(name, pair.prompt, (pair.chosen, pair.rejected), split=str(pair.split))
            for name, pair in zip(names, pairs, strict=True)
        ]

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """The mean over splits, and the accuracy of each; see `Benchmark.measures`."""
        splits = part_means("accuracy", pair_wins(items, outputs))
        return [Measure("accuracy", macro("accuracy", splits).value, len(items)), *splits]


def _preferences(rows: Sequence[Row]) -> list[Preference]:
    """The pairs of rows in their order; each file's columns are looked for in it alone."""
    by_part: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        by_part[row.part].append(number)
    found: dict[int, Preference] = {}
    for part, numbers in by_part.items():
        pairs = released_preferences([rows[number] for number in numbers], part or "all")
        found |= dict(zip(numbers, pairs, strict=True))
    return [found[number] for number in range(len(rows))]


BENCHMARK = PreferenceHack()
