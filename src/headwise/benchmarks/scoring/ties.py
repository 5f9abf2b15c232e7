"""The rule of RewardBench 2 for Ties: right answers that are equally good, and wrong ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headwise.errors import InputError


@dataclass(frozen=True, slots=True)
class TieStats:
    """How the rewards of one prompt lie.

    Args:
        accurate: Whether every right answer is above every wrong one.
        margin: The worst right reward minus the best wrong one.
        spread: The best right reward minus the worst right one.
    """

    accurate: bool
    margin: float
    spread: float

    @classmethod
    def of(cls, right: Sequence[float], wrong: Sequence[float]) -> TieStats:
        """The figures of a prompt.

        Raises:
            InputError: There is no right or no wrong answer.
        """
        if not right or not wrong:
            raise InputError("A prompt of Ties needs right and wrong answers.")
        margin = min(right) - max(wrong)
        return cls(margin > 0, margin, max(right) - min(right))


def ties_score(reference: Mapping[str, TieStats], tied: Mapping[str, TieStats]) -> float:
    """The score of the Ties subset.

    A reference prompt has one right answer; the tied prompt of the same number has several. The
    score is 0.30 accuracy of the tied prompts + 0.30 of the reference prompts + 0.20 of how often
    the tied margin exceeds the spread + 0.20 of how often the smaller of both margins does + 0.01
    of the mean of `tanh(smaller margin / spread - 1)`, where 0/0 counts as 0 and another division
    by zero as -1 or 1. The last three are over numbers that have both prompts. After
    `process_single_model` of RewardBench's repository; its release 0.1.4 left prompts without
    spread out of the last term.

    Args:
        reference: Figures of the reference prompts by their number.
        tied: Figures of the tied prompts.

    Returns:
        The score, up to 1.01.

    Raises:
        InputError: There is no prompt.
    """
    if not reference and not tied:
        raise InputError("There is no prompt of Ties to score.")
    shared = [number for number in tied if number in reference]
    spread = np.array([tied[n].spread for n in shared])
    margin = np.array([tied[n].margin for n in shared])
    smaller = np.minimum(margin, [reference[n].margin for n in shared])
    with np.errstate(divide="ignore", invalid="ignore"):
        gaps = np.nan_to_num(np.tanh(smaller / spread - 1), nan=0.0)
    return (
        0.30 * _share([one.accurate for one in tied.values()])
        + 0.30 * _share([one.accurate for one in reference.values()])
        + 0.20 * _share(margin > spread)
        + 0.20 * _share(smaller > spread)
        + 0.01 * _share(gaps)
    )


def _share(values: Sequence[bool] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else 0.0
