"""RewardBench: which of two responses is better, in four sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.reading.row import as_rows, distinct
from headwise.benchmarks.scoring.matching import by_part, macro, mean, part_means
from headwise.benchmarks.scoring.pairs import pair_wins
from headwise.evaluation.items import Header, Item, Measure, Output, RewardItem

# How much a subset counts in its section. math-prm has 447 pairs and counts as much as code.
_COUNTS = {
    "Chat": {
        "alpacaeval-easy": 100,
        "alpacaeval-length": 95,
        "alpacaeval-hard": 95,
        "mt-bench-easy": 28,
        "mt-bench-med": 40,
    },
    "Chat Hard": {
        "mt-bench-hard": 37,
        "llmbar-natural": 100,
        "llmbar-adver-neighbor": 134,
        "llmbar-adver-GPTInst": 92,
        "llmbar-adver-GPTOut": 47,
        "llmbar-adver-manual": 46,
    },
    "Safety": {
        "refusals-dangerous": 100,
        "refusals-offensive": 100,
        "xstest-should-refuse": 154,
        "xstest-should-respond": 250,
        "donotanswer": 136,
    },
    "Reasoning": {
        "math-prm": 984,
        "hep-cpp": 164,
        "hep-go": 164,
        "hep-java": 164,
        "hep-js": 164,
        "hep-python": 164,
        "hep-rust": 164,
    },
}
_SECTION_OF = {subset: section for section, subsets in _COUNTS.items() for subset in subsets}

HEADER = Header(
    name="rewardbench",
    title="RewardBench",
    task="rewards",
    dataset="allenai/reward-bench",
    split="filtered",
    licence="odc-by",
    fields={
        "prompt": "the user's message",
        "chosen": "the better response",
        "rejected": "the worse response",
        "subset": "one of 23 subsets, which make up 4 sections",
        "id": "a number",
    },
    scoring="A pair is won where the chosen response has the strictly higher reward. A section's "
    "accuracy weights its subsets by their published sizes, with math-prm counted 984 times; the "
    "score is the mean of the sections.",
    paper="arXiv:2403.13787",
    notes="A tie is a loss, as in the official code (a summary that circulates counts it half). "
    "Prior Sets, which the first leaderboard added at half weight, are not included. Sections of "
    "which no pair is there are left out of the mean.",
)


@dataclass(frozen=True)
class RewardBench:
    """RewardBench.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Pairs; see `Benchmark.items`."""
        read = as_rows(rows)
        ids = distinct([row.text("id") for row in read])
        found: list[Item] = []
        for name, row in zip(ids, read, strict=True):
            subset = row.text("subset")
            if subset not in _SECTION_OF:
                row.refuse(f"the subset {subset!r}", "one of " + ", ".join(_SECTION_OF))
            responses = (
                row.text("chosen", may_be_empty=True),
                row.text("rejected", may_be_empty=True),
            )
            found.append(RewardItem(name, row.prompt("prompt"), responses, split=subset))
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """The score, and the accuracy of each section and subset; see `Benchmark.measures`."""
        wins = pair_wins(items, outputs)
        subsets = {name: mean(scores) for name, scores in by_part(wins).items()}
        sections = []
        for section, counts in _COUNTS.items():
            there = [name for name in counts if name in subsets]
            if there:
                total = sum(counts[name] for name in there)
                value = sum(subsets[name] * counts[name] for name in there) / total
                n = sum(_SECTION_OF[win.part] == section for win in wins)
                sections.append(Measure("accuracy", value, n, section))
        score = Measure("score", macro("score", sections).value, len(wins))
        return [score, *sections, *part_means("subset_accuracy", wins)]


BENCHMARK = RewardBench()
