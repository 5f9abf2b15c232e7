"""Preference pairs from unlabelled samples: the best completion of a prompt beside its worst."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwise.errors import HeadwiseError, InputError
from headwise.examples import Preference, Prompt, Response, group_by_prompt
from headwise.methods.contracts import Rewarder
from headwise.methods.reward_inputs import ImagesOfRows, check_rows, prompts_shown


@dataclass(frozen=True, slots=True)
class RowPair:
    """A better and a worse row of one prompt.

    Args:
        chosen: The row with the highest reward.
        rejected: The row with the lowest.
        margin: By how much the one is higher.
    """

    chosen: int
    rejected: int
    margin: float


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """A preference that a reward made.

    Args:
        preference: The pair.
        margin: By how much the chosen response's reward is higher.
    """

    preference: Preference
    margin: float


def label_preferences(
    reward: Rewarder,
    prompts: Sequence[Prompt],
    responses: Sequence[Response],
    images: ImagesOfRows = None,
    *,
    min_margin: float = 0.0,
    progress: bool = False,
) -> list[LabelledPair]:
    """Ranks the responses to each prompt and pairs the best with the worst.

    Args:
        reward: A reward model, `Rewards`, or any other `Rewarder`.
        prompts: `n` prompts; equal ones belong together.
        responses: `n` responses.
        images: `n` lists of pictures that the prompts show beside their text.
        min_margin: Pairs whose rewards differ less are left out; ties always are.
        progress: Whether to show a progress bar on stderr.

    Returns:
        One pair a prompt at most, in order of the prompts' appearance.

    Raises:
        InputError: Counts differ, or the least margin is negative.
        HeadwiseError: A reward is NaN or infinite.
    """
    check_rows(prompts, responses)
    shown = prompts_shown(prompts, images)
    rewards = reward.score(shown, responses, progress=progress)
    return [
        LabelledPair(
            Preference(shown[pair.chosen], responses[pair.chosen], responses[pair.rejected]),
            pair.margin,
        )
        for pair in pair_rows(shown, rewards, min_margin)
    ]


def pair_rows(
    prompts: Sequence[Prompt], rewards: NDArray[np.float64], min_margin: float = 0.0
) -> list[RowPair]:
    """The best and the worst row of each prompt.

    Args:
        prompts: `n` prompts; equal ones belong together.
        rewards: `(n,)` rewards.
        min_margin: Pairs whose rewards differ less are left out; ties always are.

    Returns:
        One pair a prompt at most, in order of the prompts' appearance; of equals the first row.

    Raises:
        InputError: The least margin is negative or no number.
        HeadwiseError: A reward is NaN or infinite.
    """
    if not (math.isfinite(min_margin) and min_margin >= 0):
        raise InputError(f"The least margin is 0 or more; got {min_margin}.")
    if not np.isfinite(rewards).all():
        row = int(np.flatnonzero(~np.isfinite(rewards))[0])
        raise HeadwiseError(f"The reward of row {row} is {rewards[row]}, so nothing is ranked.")
    pairs = []
    for group in group_by_prompt(prompts):
        best = max(group, key=lambda row: (rewards[row], -row))
        worst = min(group, key=lambda row: (rewards[row], row))
        margin = float(rewards[best] - rewards[worst])
        if margin > 0 and margin >= min_margin:
            pairs.append(RowPair(best, worst, margin))
    return pairs
