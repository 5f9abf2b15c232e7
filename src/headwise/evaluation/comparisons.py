"""Whether one method is better than another on the same items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from headwise.errors import InputError
from headwise.evaluation.intervals import (
    LEVEL,
    N_RESAMPLES,
    Array,
    Design,
    Interval,
    mean_of,
)


@dataclass(frozen=True, slots=True)
class PairedTest:
    """What a paired comparison of two methods says.

    Args:
        difference: Mean score of the first minus that of the second, with its paired interval.
        p_bootstrap: Two-sided, from the paired bootstrap over items and seeds.
        p_mcnemar: Two-sided, exact, over the items that only one of them has right.
        only_first: Items that only the first has right.
        only_second: Items that only the second has right.
    """

    difference: Interval
    p_bootstrap: float
    p_mcnemar: float
    only_first: int
    only_second: int


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """The two-sided exact p-value of McNemar's test.

    Args:
        only_first: Items that only the first method has right.
        only_second: Items that only the second method has right.

    Returns:
        The p-value; 1 where they differ in no item.
    """
    n = only_first + only_second
    return float(binomtest(only_first, n, 0.5).pvalue) if n else 1.0


def paired_test(
    first: Array,
    second: Array,
    design: Design,
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> PairedTest:
    """Compares two methods on the same items.

    Args:
        first: `(S, N)` scores of the first method; `(1, N)` where seeds do nothing to it.
        second: The same of the second.
        design: What is drawn anew, with the larger number of seeds.
        n_resamples: Replicates of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        The test. McNemar's test takes an item for right where most seeds have it right; where half
        of them do, as in a tie, the item counts for neither method.

    Raises:
        InputError: The two have not the same items, or other numbers of seeds than the design's.
    """
    one, other = (_on_all_seeds(scores, design) for scores in (first, second))
    difference = one - other
    statistic = mean_of(difference)
    found = design.replicates(statistic, n_resamples, seed)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    value = design.point(statistic)
    # The one replicate more is the data itself, so that no p-value is zero.
    tails = [(1 + np.sum(found <= 0)), (1 + np.sum(found >= 0))]
    p = min(1.0, 2 * float(min(tails)) / (len(found) + 1))
    means = one.mean(axis=0), other.mean(axis=0)
    only_first = int(np.sum((means[0] > 0.5) & (means[1] < 0.5)))
    only_second = int(np.sum((means[0] < 0.5) & (means[1] > 0.5)))
    return PairedTest(
        Interval(value, float(low), float(high)),
        p,
        mcnemar_exact(only_first, only_second),
        only_first,
        only_second,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number by Holm's step-down rule.

    Args:
        p_values: `m` p-values.

    Returns:
        `m` corrected ones, in the same order; rejecting those below a level keeps the chance of
        any false rejection below it.
    """
    order = np.argsort(p_values, kind="stable")
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(order.tolist()):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def _on_all_seeds(scores: Array, design: Design) -> Array:
    shape = design.n_seeds, len(design.units)
    if scores.ndim != 2 or scores.shape[1] != shape[1] or scores.shape[0] not in (1, shape[0]):
        raise InputError(
            f"A paired test of {shape[0]} seeds and {shape[1]} items got scores of the shape "
            f"{scores.shape}; give one row a seed (or one row) and one column an item."
        )
    return np.broadcast_to(scores, shape)
