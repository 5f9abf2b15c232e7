"""Means with how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwise.evaluation.intervals import LEVEL, N_RESAMPLES


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over items, with the interval that the bootstrap gives it.

    Args:
        value: The mean.
        low: Where the 95% interval begins.
        high: Where it ends.
        n: How many items.
    """

    value: float
    low: float
    high: float
    n: int

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval is."""
        return self.low > 0


def estimate(values: Sequence[float] | NDArray[np.float64], *, seed: int = 0) -> Estimate:
    """The mean of some items' values, with a 95% percentile bootstrap interval over items.

    Args:
        values: `(n,)`, one number an item.
        seed: Seed of the bootstrap.

    Returns:
        The estimate.
    """
    data = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    means = data[rng.integers(len(data), size=(N_RESAMPLES, len(data)))].mean(axis=1)
    # Rounded, so that sums in another order do not move an interval off zero.
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).round(12)
    return Estimate(round(float(data.mean()), 12), float(low), float(high), len(data))


def wins(margins: Sequence[float]) -> NDArray[np.float64]:
    """1 where the chosen answer is preferred, 0 where the other one is, a half for a tie."""
    data = np.asarray(margins, dtype=np.float64)
    return np.where(data > 0, 1.0, np.where(data == 0, 0.5, 0.0))
