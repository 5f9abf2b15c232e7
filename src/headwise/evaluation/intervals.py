"""How sure a figure is: Wilson's interval of one share, and a bootstrap over items and seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from headwise.errors import InputError

LEVEL = 0.95
N_RESAMPLES = 2_000

Array = NDArray[np.float64]
Statistic = Callable[[Array, Array], Array]
"""Weights of seeds `(b, S)` and of items `(b, N)` -> the figure under each of them, `(b,)`."""

_BLOCK_NUMBERS = 4_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and where it may truly lie.

    Args:
        value: The figure.
        low: The lower end.
        high: The upper end.
        how: How the ends were had.
        level: How often such intervals hold the true figure.
    """

    value: float
    low: float
    high: float
    how: Literal["wilson", "bootstrap", "exact"] = "bootstrap"
    level: float = LEVEL

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def wilson(successes: float, n: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a share.

    Args:
        successes: How many of `n`; halves, such as those of ties, are rounded for the ends.
        n: Out of how many, at least 1.
        level: The confidence level.

    Returns:
        The share with its interval.

    Raises:
        InputError: `n` is none, or there are more successes.
    """
    if n < 1 or not 0 <= successes <= n:
        raise InputError(f"A share needs 0 to n successes of n >= 1; got {successes} of {n}.")
    found = binomtest(round(successes), n).proportion_ci(level, method="wilson")
    share = successes / n
    return Interval(share, min(float(found.low), share), max(float(found.high), share), "wilson")


@dataclass(frozen=True, slots=True)
class Design:
    """What is drawn anew: seeds, and units of items within strata.

    Seeds and items are crossed, since every seed is put to the same items: a replicate draws seeds
    and units once each, and its figure is that of all drawn seeds on all drawn items (the
    pigeonhole bootstrap, Owen 2007, doi:10.1214/07-AOAS122). It is a little too wide where what a
    seed does differs from item to item, and a little too narrow with very few seeds.

    Args:
        n_seeds: How many seeds, at least 1.
        units: The unit of each item, counted from 0: items that are scored together are one.
        strata: The stratum of each unit, counted from 0, such as the split; units are drawn within
            it.
    """

    n_seeds: int
    units: tuple[int, ...]
    strata: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.n_seeds < 1 or not self.units:
            raise InputError("A bootstrap needs one seed and one item at least.")
        if sorted(set(self.units)) != list(range(len(self.strata))):
            raise InputError("Every unit needs an item and a stratum.")

    @classmethod
    def of(
        cls,
        n_seeds: int,
        n_items: int,
        groups: Sequence[str | None] | None = None,
        splits: Sequence[str] | None = None,
    ) -> Design:
        """A design by the names of groups and splits.

        Args:
            n_seeds: How many seeds.
            n_items: How many items.
            groups: The group of each item; None for one that stands alone.
            splits: The split of each item; a group is of the split of its first item.

        Returns:
            The design.
        """
        names: dict[object, int] = {}
        strata: dict[str, int] = {}
        units, of_units = [], []
        for item in range(n_items):
            group = None if groups is None else groups[item]
            key: object = item if group is None else group
            if key not in names:
                names[key] = len(names)
                split = "" if splits is None else splits[item]
                of_units.append(strata.setdefault(split, len(strata)))
            units.append(names[key])
        return cls(n_seeds, tuple(units), tuple(of_units))

    @property
    def n_units(self) -> int:
        """How many units can be drawn."""
        return len(self.strata)

    def draws(self, n_resamples: int, seed: int) -> Iterator[tuple[Array, Array]]:
        """Weights of replicates, some at a time.

        Args:
            n_resamples: How many replicates.
            seed: Their seed; two figures of one design and seed see the same replicates.

        Yields:
            How often each seed `(b, S)` and each item `(b, N)` was drawn.
        """
        rng = np.random.default_rng(seed)
        units = np.array(self.units)
        strata = np.array(self.strata)
        block = max(1, _BLOCK_NUMBERS // len(units))
        left = n_resamples
        while left:
            size = min(block, left)
            left -= size
            seeds = rng.multinomial(self.n_seeds, np.full(self.n_seeds, 1 / self.n_seeds), size)
            drawn = np.zeros((size, self.n_units))
            for stratum in np.unique(strata):
                members = np.flatnonzero(strata == stratum)
                chances = np.full(len(members), 1 / len(members))
                drawn[:, members] = rng.multinomial(len(members), chances, size)
            yield seeds.astype(float), drawn[:, units]

    def replicates(
        self, statistic: Statistic, n_resamples: int = N_RESAMPLES, seed: int = 0
    ) -> Array:
        """The figure in each replicate, `(n_resamples,)`."""
        return np.concatenate([statistic(*weights) for weights in self.draws(n_resamples, seed)])

    def point(self, statistic: Statistic) -> float:
        """The figure as it is."""
        return float(statistic(np.ones((1, self.n_seeds)), np.ones((1, len(self.units))))[0])


def two_level(
    statistic: Statistic,
    design: Design,
    *,
    level: float = LEVEL,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The percentile interval of a figure over seeds and items.

    Args:
        statistic: The figure under weights.
        design: What is drawn anew.
        level: The confidence level.
        n_resamples: Replicates.
        seed: Their seed.

    Returns:
        The figure with its interval; the ends are the figure itself where it can't be had in any
        replicate.
    """
    value = design.point(statistic)
    found = design.replicates(statistic, n_resamples, seed)
    found = found[np.isfinite(found)]
    if not len(found):
        return Interval(value, value, value, level=level)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level=level)


def mean_interval(
    scores: Array, design: Design, *, level: float = LEVEL, seed: int = 0
) -> Interval:
    """The interval of a mean score: Wilson's where it is one share, else by the bootstrap.

    Args:
        scores: `(S, N)` scores of the seeds' items, between 0 and 1.
        design: What is drawn anew.
        level: The confidence level.
        seed: Of the bootstrap.

    Returns:
        The mean with its interval. Where all scores are alike, a bootstrap would know no doubt, so
        it is Wilson's over the units then.
    """
    n_items = scores.shape[1]
    is_share = bool(np.isin(scores, (0.0, 1.0)).all())
    is_constant = is_share and bool((scores == scores[0, 0]).all())
    if is_constant:
        return wilson(float(scores[0, 0]) * design.n_units, design.n_units, level)
    if is_share and len(scores) == 1 and design.n_units == n_items:
        return wilson(float(scores.sum()), n_items, level)
    return two_level(mean_of(scores), design, level=level, seed=seed)


def mean_of(scores: Array) -> Statistic:
    """The mean of `(S, N)` scores under weights."""

    def statistic(seeds: Array, items: Array) -> Array:
        totals = np.einsum("bn,bn->b", seeds @ scores, items)
        found: Array = totals / (seeds.sum(axis=1) * items.sum(axis=1))
        return found

    return statistic
