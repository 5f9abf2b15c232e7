"""Best-of-n: the best by reward of several samples of any generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwise.errors import InputError
from headwise.examples import Prompt
from headwise.methods.contracts import Rewarder

Sampler = Callable[[list[Prompt]], Sequence[str]]
"""Prompts, equal ones several times -> a sample of its own for each, in the same order."""


@dataclass(frozen=True, slots=True, eq=False)
class BestOf:
    """The best of several samples of one prompt.

    Args:
        prompt: The prompt.
        responses: Its samples, in the order in which they came.
        rewards: `(n,)` float64, one a sample.
    """

    prompt: Prompt
    responses: tuple[str, ...]
    rewards: NDArray[np.float64]

    @property
    def best(self) -> str:
        """The sample with the highest reward; of equals the first."""
        return self.responses[int(self.rewards.argmax())]

    @property
    def reward(self) -> float:
        """The reward of the best sample."""
        return float(self.rewards.max())


def best_of_n(
    reward: Rewarder,
    prompts: Sequence[Prompt],
    sample: Sampler,
    n: int,
    *,
    progress: bool = False,
) -> list[BestOf]:
    """Samples `n` responses to each prompt and ranks them.

    Args:
        reward: A reward model, `Rewards`, or any other `Rewarder`.
        prompts: Prompts.
        sample: The generator. It is called once, with each prompt `n` times in a row, as trainers
            repeat theirs.
        n: How many samples of each prompt.
        progress: Whether to show a progress bar of the scoring on stderr.

    Returns:
        One result a prompt, in order.

    Raises:
        InputError: `n` is below 1, or the generator gives another number of texts.
    """
    if n < 1:
        raise InputError(f"n is the number of samples, 1 at least; got {n}.")
    if not prompts:
        return []
    repeated = [prompt for prompt in prompts for _ in range(n)]
    responses = list(sample(repeated))
    if len(responses) != len(repeated) or not all(isinstance(one, str) for one in responses):
        raise InputError(
            f"The generator was given {len(repeated)} prompts and gave {len(responses)} things; "
            "expected one text each."
        )
    rewards = reward.score(repeated, responses, progress=progress)
    return [
        BestOf(prompt, tuple(responses[at : at + n]), rewards[at : at + n])
        for at, prompt in zip(range(0, len(repeated), n), prompts, strict=True)
    ]
