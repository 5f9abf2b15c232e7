"""Pairs of a better and a worse response: the better one must have the higher reward."""

from __future__ import annotations

from collections.abc import Sequence

from headwise.benchmarks.scoring.matching import Scored, rewarded
from headwise.evaluation.items import Item, Output


def pair_wins(items: Sequence[Item], outputs: Sequence[Output]) -> list[Scored]:
    """Whether the right response beats every wrong one; a tie is a loss, as in RewardBench's code.

    Args:
        items: `n` items with one right response each.
        outputs: `n` outputs with rewards.

    Returns:
        `n` scores, 1 or 0.

    Raises:
        InputError: An output lacks what is needed.
    """
    return [
        Scored(one.item, float(min(one.right) > max(one.wrong))) for one in rewarded(items, outputs)
    ]
