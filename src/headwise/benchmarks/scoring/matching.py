"""Items beside what a method gave for them, and plain means over parts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headwise.errors import InputError
from headwise.evaluation.items import Item, Measure, Output, QuestionItem, RewardItem


@dataclass(frozen=True, slots=True)
class Scored:
    """An item and its score.

    Args:
        item: The item.
        score: Usually 0 or 1.
        split: The part it counts in; the item's own where None.
    """

    item: Item
    score: float
    split: str | None = None

    @property
    def part(self) -> str:
        """The part it counts in."""
        return self.item.split if self.split is None else self.split


@dataclass(frozen=True, slots=True)
class Rewarded:
    """An item and the rewards of its responses.

    Args:
        item: The item.
        right: Rewards of its right responses.
        wrong: Rewards of the others.
    """

    item: RewardItem
    right: tuple[float, ...]
    wrong: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """A question and what a method answered.

    Args:
        item: The question.
        output: The answer.
    """

    item: QuestionItem
    output: Output


def rewarded(items: Sequence[Item], outputs: Sequence[Output]) -> list[Rewarded]:
    """Items with the rewards of their responses.

    Args:
        items: `n` items.
        outputs: `n` outputs, in the order of the items.

    Returns:
        `n` items with rewards.

    Raises:
        InputError: There is nothing, an output is missing or of another item, or lacks a reward.
    """
    found = []
    for item, output in _pairs(items, outputs):
        if not isinstance(item, RewardItem):
            raise InputError(f"{item.id!r} is a question; this benchmark scores responses.")
        given = output.rewards
        if len(given) != len(item.responses) or not all(map(math.isfinite, given)):
            raise InputError(
                f"{item.id!r} has {len(item.responses)} responses and the rewards {given}; give a "
                "number for each."
            )
        found.append(Rewarded(item, given[: item.n_right], given[item.n_right :]))
    return found


def replies(items: Sequence[Item], outputs: Sequence[Output]) -> list[Reply]:
    """Questions with what was answered.

    Args:
        items: `n` items.
        outputs: `n` outputs, in the order of the items.

    Returns:
        `n` questions with answers; an answer may be None, which is wrong.

    Raises:
        InputError: There is nothing, or an output is missing or of another item.
    """
    found = []
    for item, output in _pairs(items, outputs):
        if not isinstance(item, QuestionItem):
            raise InputError(f"{item.id!r} has responses to score; this benchmark asks questions.")
        found.append(Reply(item, output))
    return found


def _pairs(items: Sequence[Item], outputs: Sequence[Output]) -> Iterable[tuple[Item, Output]]:
    if not items:
        raise InputError("There is no item to score.")
    if len(items) != len(outputs):
        raise InputError(f"There are {len(items)} items and {len(outputs)} outputs; give one each.")
    for item, output in zip(items, outputs, strict=True):
        if item.id != output.id:
            raise InputError(
                f"The output of {output.id!r} stands where {item.id!r} is; keep the items' order."
            )
        yield item, output


def mean(values: Iterable[float]) -> float:
    """The mean of at least one value.

    Raises:
        InputError: There is no value.
    """
    held = list(values)
    if not held:
        raise InputError("There is nothing to take a mean of.")
    return math.fsum(held) / len(held)


def by_part(scored: Sequence[Scored]) -> dict[str, list[float]]:
    """Scores by the part they count in, parts in the order in which they first occur."""
    found: dict[str, list[float]] = {}
    for one in scored:
        found.setdefault(one.part, []).append(one.score)
    return found


def part_means(name: str, scored: Sequence[Scored]) -> list[Measure]:
    """The mean score of each part, in the order in which parts first occur."""
    return [
        Measure(name, mean(scores), len(scores), part) for part, scores in by_part(scored).items()
    ]


def overall(name: str, scored: Sequence[Scored]) -> Measure:
    """The mean score of all."""
    return Measure(name, mean(one.score for one in scored), len(scored))


def overall_and_parts(name: str, scored: Sequence[Scored]) -> list[Measure]:
    """The mean score of all, and that of each part where there are several."""
    parts = part_means(name, scored)
    return [overall(name, scored), *(parts if len(parts) > 1 else [])]


def macro(name: str, parts: Sequence[Measure]) -> Measure:
    """The plain mean of figures, each counting the same."""
    return Measure(name, mean(one.value for one in parts), len(parts))
