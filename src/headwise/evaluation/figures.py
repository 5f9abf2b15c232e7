"""Figures of runs beyond the mean score: those that weigh classes, and calibration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from headwise.evaluation.calibration import Calibration, calibration
from headwise.evaluation.intervals import Design, Interval
from headwise.evaluation.items import Output
from headwise.evaluation.metrics import Decisions, class_figure
from headwise.evaluation.results import ItemRecord, Run

_POSITIVE = ("yes", "true", "1", "positive", "unsafe")
_MOST_CLASSES = 200


def class_figures(
    items: Sequence[ItemRecord], runs: Sequence[Run], design: Design
) -> Mapping[str, Interval]:
    """Balanced accuracy and F1, where every item has the same options.

    Args:
        items: The items.
        runs: Runs over them.
        design: What intervals are drawn from.

    Returns:
        Figures by name; empty where there are no classes. With two classes, F1 is also that of one
        of them: of `yes` or its like, else of the one that comes later in the alphabet.
    """
    truth = [item.truth for item in items if item.truth is not None]
    options = {frozenset(item.options) for item in items}
    is_of_classes = len(truth) == len(items) and len(options) == 1 and len(set(truth)) >= 2
    if not is_of_classes or not next(iter(options)) or len(set(truth)) > _MOST_CLASSES:
        return {}
    decisions = Decisions.of(truth, [[output.answer for output in run.outputs] for run in runs])
    found = {
        "balanced accuracy": class_figure(decisions, design, "balanced accuracy"),
        "macro F1": class_figure(decisions, design, "macro F1"),
    }
    if len(decisions.classes) == 2:
        positive = next((c for c in decisions.classes if c.casefold() in _POSITIVE), None)
        name = positive or decisions.classes[1]
        found[f"F1 of {name}"] = class_figure(decisions, design, "F1", positive=name)
    return found


def run_calibration(items: Sequence[ItemRecord], runs: Sequence[Run]) -> Calibration | None:
    """Calibration over all items and seeds.

    Args:
        items: The items.
        runs: Runs over them.

    Returns:
        The figures; None where no probabilities are given. Rewards are read as log-odds: the
        probability that a right response is better than a wrong one is the logistic function of the
        difference of their rewards (Bradley and Terry).
    """
    shares: list[tuple[float, ...]] = []
    truth: list[int] = []
    for run in runs:
        for item, output in zip(items, run.outputs, strict=True):
            if output.rewards:
                pairs = _pairs(item, output)
                # Right and wrong take turns, so that a tie is right half the time.
                places = [(len(truth) + number) % 2 for number in range(len(pairs))]
                shares += [
                    (p, 1 - p) if at == 0 else (1 - p, p)
                    for p, at in zip(pairs, places, strict=True)
                ]
                truth += places
            elif output.probabilities:
                names = list(output.probabilities)
                shares.append(tuple(output.probabilities.values()))
                truth.append(names.index(item.truth) if item.truth in names else -1)
    return calibration(shares, truth) if truth else None


def _pairs(item: ItemRecord, output: Output) -> list[float]:
    right, wrong = output.rewards[: item.n_right], output.rewards[item.n_right :]
    return [_logistic(a - b) for a in right for b in wrong]


def _logistic(log_odds: float) -> float:
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    # exp of a large number overflows; that of its opposite does not.
    grown = math.exp(log_odds)
    return grown / (1 + grown)
