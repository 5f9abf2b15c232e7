"""RewardBench 2: the best of four responses in five domains, and Ties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.matching import (
    Rewarded,
    Scored,
    macro,
    part_means,
    rewarded,
)
from headwise.benchmarks.scoring.ties import TieStats, ties_score
from headwise.errors import InputError
from headwise.evaluation.items import Header, Item, Measure, Output, RewardItem

TIES = "Ties"
_KINDS = ("ref", "tied")

HEADER = Header(
    name="rewardbench-2",
    title="RewardBench 2",
    task="rewards",
    dataset="allenai/reward-bench-2",
    split="test",
    licence="odc-by",
    fields={
        "prompt": "the user's message",
        "chosen": "a list with the right response; several in Ties",
        "rejected": "a list with the wrong ones; three but in Ties",
        "num_correct": "how many are right",
        "subset": "Factuality, Precise IF, Math, Safety, Focus or Ties",
        "id": 'a name; "ref:K" or "tied:K" in Ties',
    },
    scoring="A prompt counts 1 / (responses with the highest reward) where the right one is among "
    "them, else 0; a subset's score is the mean. Ties has a rule of its own, of accuracies and "
    "margins (scoring/ties.py). The score is the plain mean of the subsets.",
    paper="arXiv:2506.01937",
    notes="The official script prints subsets only; that their plain mean is the overall score was "
    "not checked.",
)


@dataclass(frozen=True)
class RewardBench2:
    """RewardBench 2.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Prompts with their responses, right ones first; see `Benchmark.items`."""
        read = as_rows(rows)
        ids = distinct([row.text("id") for row in read])
        return [_item(name, row) for name, row in zip(ids, read, strict=True)]

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """The score, and that of each subset; see `Benchmark.measures`."""
        given = rewarded(items, outputs)
        best_of = [Scored(one.item, _credit(one)) for one in given if one.item.split != TIES]
        subsets = part_means("score", best_of)
        ties = [one for one in given if one.item.split == TIES]
        if ties:
            subsets.append(Measure("score", _of_ties(ties), len(ties), TIES))
        return [Measure("score", macro("score", subsets).value, len(given)), *subsets]


def _item(name: str, row: Row) -> Item:
    subset = row.text("subset")
    right, wrong = row.texts("chosen"), row.texts("rejected")
    n_right = int(row.optional("num_correct") or len(right))
    if n_right != len(right):
        row.refuse(f"num_correct={n_right} beside {len(right)} chosen responses", "as many")
    tags: dict[str, str] = {}
    group = None
    if subset.casefold() == TIES.casefold():
        subset = TIES
        kind, _, number = row.text("id").partition(":")
        if kind not in _KINDS or not number:
            row.refuse(f"the id {row.text('id')!r} in Ties", '"ref:K" or "tied:K"')
        tags, group = {"kind": kind}, f"ties-{number}"
    return RewardItem(
        name, row.prompt("prompt"), (*right, *wrong), n_right, subset, group=group, tags=tags
    )


def _credit(one: Rewarded) -> float:
    given = (*one.right, *one.wrong)
    best = max(given)
    return 1 / given.count(best) if one.right[0] == best else 0.0


def _of_ties(ties: Sequence[Rewarded]) -> float:
    figures: dict[str, dict[str, TieStats]] = {kind: {} for kind in _KINDS}
    for one in ties:
        kind, group = one.item.tags.get("kind"), one.item.group
        if kind not in _KINDS or group is None:
            raise InputError(f"{one.item.id!r} of Ties has no kind or group; make it with items().")
        figures[kind][group] = TieStats.of(one.right, one.wrong)
    return ties_score(figures["ref"], figures["tied"])


BENCHMARK = RewardBench2()
