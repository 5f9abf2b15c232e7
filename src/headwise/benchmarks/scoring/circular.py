"""MMBench's circular rule: right where the answer is found in every rotation of the options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headwise.errors import InputError


@dataclass(frozen=True, slots=True)
class Rotation:
    """The options of a question, rotated.

    Args:
        options: Their texts, in the order in which they are shown.
        answer: Which one is right, from 0.
        by: By how many places they were rotated.
    """

    options: tuple[str, ...]
    answer: int
    by: int


def rotations(options: Sequence[str], answer: int) -> tuple[Rotation, ...]:
    """A question's options in every rotation, the given order first.

    Args:
        options: `k` texts.
        answer: Which one is right, from 0.

    Returns:
        `k` rotations. After section 4.3 of MMBench (arXiv:2307.06281): a question of k options is
        asked k times, each time with the options one place further.

    Raises:
        InputError: There are fewer than two options, or the answer is none of them.
    """
    count = len(options)
    if count < 2 or not 0 <= answer < count:
        raise InputError(f"Of {count} options, number {answer} can't be right.")
    turned = [(*options[by:], *options[:by]) for by in range(count)]
    return tuple(Rotation(turned[by], (answer - by) % count, by) for by in range(count))
