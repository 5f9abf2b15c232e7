"""The benchmark's own figures, the mean over seeds, with intervals over seeds and items."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from headwise.errors import HeadwiseError
from headwise.evaluation.intervals import LEVEL, Array, Design, wilson
from headwise.evaluation.items import Benchmark, Item, Measure, Output

OFFICIAL_RESAMPLES = 300
"""Fewer than of plain means, since a rule is any code and may be slow."""


@dataclass(frozen=True, slots=True)
class OfficialMeasure:
    """One figure of the benchmark's rule.

    Args:
        name: What is measured.
        split: Of which part.
        n: Of how many items or groups.
        value: The mean over seeds; None where it is no number.
        low: Lower end of the 95% interval; None where there is none.
        high: Upper end.
    """

    name: str
    split: str
    n: int
    value: float | None
    low: float | None
    high: float | None


def official_measures(
    benchmark: Benchmark,
    items: Sequence[Item],
    outputs: Sequence[Sequence[Output]],
    *,
    n_resamples: int = OFFICIAL_RESAMPLES,
    seed: int = 0,
) -> list[OfficialMeasure]:
    """Applies the rule to every seed, and to resamples.

    Args:
        benchmark: The rule.
        items: `N` items.
        outputs: Of each seed, `N` outputs.
        n_resamples: Replicates of the bootstrap over seeds and items: items that are scored
            together are drawn together, within their split.
        seed: Of the bootstrap.

    Returns:
        The figures, in the benchmark's order. One that some replicate lacks has no interval, nor
        has one that a judge gives.

    Raises:
        InputError: The rule cannot be put to the outputs.
    """
    of_seeds = [benchmark.measures(items, found) for found in outputs]
    points = {(m.name, m.split): m for m in of_seeds[0]}
    values = {key: _mean(_value_of(measures, key) for measures in of_seeds) for key in points}
    # Each replicate would have a judge rate all answers again.
    n_resamples = 0 if benchmark.header.judge else n_resamples
    replicates = _replicates(benchmark, items, outputs, n_resamples, seed)
    found = []
    for (name, split), point in points.items():
        drawn = [row.get((name, split), math.nan) for row in replicates]
        value = values[name, split]
        low = high = None
        if drawn and value is not None and all(map(math.isfinite, drawn)):
            low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
            if low == high and value in (0.0, 1.0) and point.n:
                # A bootstrap of what is always right, or never, would know no doubt.
                sure = wilson(value * point.n, point.n)
                low, high = sure.low, sure.high
        found.append(OfficialMeasure(name, split, point.n, value, low, high))
    return found


def _replicates(
    benchmark: Benchmark,
    items: Sequence[Item],
    outputs: Sequence[Sequence[Output]],
    n_resamples: int,
    seed: int,
) -> list[dict[tuple[str, str], float]]:
    """The figures of each replicate; none at all where the rule refuses a resample."""
    groups = [item.group for item in items]
    splits = [item.split for item in items]
    design = Design.of(len(outputs), len(items), groups, splits)
    found = []
    for of_seeds, of_items in design.draws(n_resamples, seed):
        for seeds, weights in zip(of_seeds, of_items, strict=True):
            places, drawn = _drawn(items, weights)
            rows: list[tuple[float, list[Measure]]] = []
            for number in np.flatnonzero(seeds).tolist():
                chosen = [outputs[number][place] for place in places]
                try:
                    rows.append((seeds[number], benchmark.measures(drawn, chosen)))
                except HeadwiseError:
                    return []
            found.append(_weighted(rows))
    return found


def _drawn(items: Sequence[Item], weights: Array) -> tuple[list[int], list[Item]]:
    """Positions and items as often as they were drawn, each time in a group of its own."""
    places: list[int] = []
    drawn: list[Item] = []
    for place, weight in enumerate(weights.astype(int).tolist()):
        item = items[place]
        for time in range(weight):
            is_again = time and item.group is not None
            places.append(place)
            drawn.append(replace(item, group=f"{item.group} (again {time})") if is_again else item)
    return places, drawn


def _weighted(rows: Sequence[tuple[float, list[Measure]]]) -> dict[tuple[str, str], float]:
    total = sum(weight for weight, _ in rows)
    keys = {(m.name, m.split) for _, measures in rows for m in measures}
    return {
        key: sum(weight * _value_of(measures, key) for weight, measures in rows) / total
        for key in keys
    }


def _value_of(measures: Sequence[Measure], key: tuple[str, str]) -> float:
    return next((m.value for m in measures if (m.name, m.split) == key), math.nan)


def _mean(values: Iterable[float]) -> float | None:
    found = float(np.mean(list(values)))
    return found if math.isfinite(found) else None
