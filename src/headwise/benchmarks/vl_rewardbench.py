"""VL-RewardBench: which of two responses to a picture people ranked higher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.reading.row import as_rows, distinct
from headwise.benchmarks.scoring.matching import macro, overall, part_means
from headwise.benchmarks.scoring.pairs import pair_wins
from headwise.evaluation.items import Header, Item, Measure, Output, RewardItem

_GROUPS = {
    **dict.fromkeys(("mathverse", "mmmu"), "reasoning"),
    **dict.fromkeys(("hallucination", "rlhf", "rlaif"), "hallucination"),
    **dict.fromkeys(("wildvision", "vlfeedback"), "general"),
}

HEADER = Header(
    name="vl-rewardbench",
    title="VL-RewardBench",
    task="rewards",
    dataset="MMInstruction/VL-RewardBench",
    split="test",
    licence="mit",
    fields={
        "id": "a name whose beginning tells the group",
        "query": "the prompt",
        "image": "its picture",
        "response": "a list of two responses",
        "human_ranking": "their ranks; [0, 1] where the first is better",
    },
    scoring="Accuracy over all pairs, and the mean of the accuracies of three groups (general, "
    "hallucination, reasoning). A pair is won where the response of rank 0 has the strictly higher "
    "reward.",
    paper="arXiv:2411.17451",
    images=True,
    notes="The official code is for judges that name one response; here a tie is a loss. The "
    "licence was not checked.",
)


@dataclass(frozen=True)
class VLRewardBench:
    """VL-RewardBench.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Pairs with a picture; see `Benchmark.items`."""
        read = as_rows(rows)
        ids = distinct([row.text("id") for row in read])
        found: list[Item] = []
        for name, row in zip(ids, read, strict=True):
            responses, ranks = row.texts("response"), row.texts("human_ranking")
            if len(responses) != 2 or sorted(ranks) != ["0", "1"]:
                row.refuse(
                    f"{len(responses)} responses with the ranks {list(ranks)}",
                    "two responses with the ranks 0 and 1",
                )
            better = ranks.index("0")
            pair = (responses[better], responses[1 - better])
            beginning = row.text("id").split("-")[0].split("_")[0].lower()
            group = _GROUPS.get(beginning, "general")
            images = row.images("image")
            found.append(RewardItem(name, row.text("query"), pair, split=group, images=images))
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Accuracy over all, its mean over groups, and of each group; see `Benchmark.measures`."""
        wins = pair_wins(items, outputs)
        groups = part_means("accuracy", wins)
        return [overall("accuracy", wins), macro("macro_accuracy", groups), *groups]


BENCHMARK = VLRewardBench()
