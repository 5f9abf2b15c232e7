"""Rewards with what they were made of, for whoever watches a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwise.errors import InputError
from headwise.methods.reward_asking import AskedRows
from headwise.methods.reward_judging import Judgements


@dataclass(frozen=True, slots=True, eq=False)
class RewardDetails:
    """Rewards of `n` responses by one criterion.

    Args:
        rewards: `(n,)` float64; higher is better.
        sparse: `(n,)` float64, the margin of the sparse heads; None where they are not used.
        steered: `(n,)` float64, the log-odds of the positive answer with heads steered; None where
            they are not used.
        truncated: `(n,)` bool, whether a response or its prompt was too long and was cut.
    """

    rewards: NDArray[np.float64]
    sparse: NDArray[np.float64] | None
    steered: NDArray[np.float64] | None
    truncated: NDArray[np.bool_]

    @classmethod
    def of(cls, asked: AskedRows, judged: Judgements) -> RewardDetails:
        """What the judgements of a reward model make of its responses."""
        return cls(
            rewards=asked.of_rows(judged.values),
            sparse=None if judged.sparse is None else asked.of_rows(judged.sparse),
            steered=None if judged.steered is None else asked.of_rows(judged.steered),
            truncated=np.array(asked.truncated, dtype=np.bool_),
        )


@dataclass(frozen=True, slots=True, eq=False)
class CriteriaDetails:
    """Rewards of `n` responses by several criteria.

    Args:
        weights: What each criterion counts, by its name.
        criteria: What each gave, by its name, in the same order.
    """

    weights: Mapping[str, float]
    criteria: Mapping[str, RewardDetails]

    def __getitem__(self, name: str) -> RewardDetails:
        """What one criterion gave.

        Raises:
            InputError: There is no such criterion.
        """
        if name not in self.criteria:
            raise InputError(
                f"There is no criterion {name!r}; there are {', '.join(self.criteria)}."
            )
        return self.criteria[name]

    @property
    def rewards(self) -> NDArray[np.float64]:
        """The weighted sum of all criteria's rewards, `(n,)` float64."""
        parts = [self.weights[name] * one.rewards for name, one in self.criteria.items()]
        total: NDArray[np.float64] = np.sum(parts, axis=0)
        return total

    @property
    def truncated(self) -> NDArray[np.bool_]:
        """Whether any criterion had to cut a response or its prompt, `(n,)` bool."""
        parts = [one.truncated for one in self.criteria.values()]
        cut: NDArray[np.bool_] = np.any(parts, axis=0)
        return cut
