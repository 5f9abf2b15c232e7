"""Whether a method is as often right as it says: ECE, Brier score, reliability curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headwise.errors import InputError
from headwise.evaluation.intervals import Array

N_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers that were given with about the same confidence.

    Args:
        confidence: Their mean confidence.
        accuracy: The share of them that is right.
        n: How many they are.
    """

    confidence: float
    accuracy: float
    n: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How confidence and being right go together.

    Args:
        ece: Expected calibration error: the mean distance of confidence and accuracy over bins.
        brier: Mean squared error of the probabilities; see `brier_score`.
        confidence: Mean confidence.
        accuracy: The share that is right.
        n: Answers.
        bins: The reliability curve, from the least confident on.
    """

    ece: float
    brier: float
    confidence: float
    accuracy: float
    n: int
    bins: tuple[Bin, ...]


def reliability(confidences: Array, right: Array, n_bins: int = N_BINS) -> tuple[Bin, ...]:
    """The reliability curve, in bins of equal mass.

    Args:
        confidences: `(n,)` probabilities of the answers given.
        right: `(n,)`: 1 where the answer is right, 0 where not.
        n_bins: Bins at most; equal confidences are never parted, so there may be fewer.

    Returns:
        Bins, from the least confident on.

    Raises:
        InputError: There are no answers, the lengths differ, or there is no bin.
    """
    if len(confidences) != len(right) or not len(right) or n_bins < 1:
        raise InputError(
            f"A reliability curve needs as many confidences as answers, and a bin; got "
            f"{len(confidences)}, {len(right)} and {n_bins}."
        )
    order = np.argsort(confidences, kind="stable")
    ordered = confidences[order]
    ends = np.linspace(0, len(order), n_bins + 1).round().astype(int)[1:]
    # Answers of one confidence stay in one bin: how they are sorted must not matter.
    whole = np.unique(np.searchsorted(ordered, ordered[ends[ends > 0] - 1], side="right"))
    starts = [0, *whole[:-1].tolist()]
    return tuple(
        Bin(
            float(ordered[start:end].mean()),
            float(right[order[start:end]].mean()),
            int(end - start),
        )
        for start, end in zip(starts, whole.tolist(), strict=True)
    )


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """The mean distance of confidence and accuracy, weighed by the answers of each bin."""
    n = sum(one.n for one in bins)
    return sum(one.n * abs(one.confidence - one.accuracy) for one in bins) / n


def brier_score(probabilities: Sequence[Sequence[float]], truth: Sequence[int]) -> float:
    """The mean squared error of probabilities.

    Args:
        probabilities: Of each item, those of its options.
        truth: Of each item, the position of the right option; -1 where it is none of them, which
            is an option of probability 0 then.

    Returns:
        The sum over options of the squared error, the mean over items; half of it where there are
        two options, as scikit-learn and Brier's score of one event have it.

    Raises:
        InputError: There are no items, or the lengths differ.
    """
    if not truth or len(truth) != len(probabilities):
        raise InputError(
            f"A Brier score needs as many items as truths; got {len(probabilities)} and "
            f"{len(truth)}."
        )
    errors = []
    for row, right in zip(probabilities, truth, strict=True):
        values = np.array([*row, 0.0])
        target = np.zeros(len(values))
        target[right] = 1.0
        error = float(np.square(values - target).sum())
        errors.append(error / 2 if len(row) == 2 else error)
    return float(np.mean(errors))


def calibration(
    probabilities: Sequence[Sequence[float]], truth: Sequence[int], n_bins: int = N_BINS
) -> Calibration:
    """Calibration of the likeliest option.

    Args:
        probabilities: Of each item, those of its options.
        truth: Of each item, the position of the right option; -1 where it is none of them.
        n_bins: Bins at most.

    Returns:
        The figures.

    Raises:
        InputError: There are no items, or the lengths differ.
    """
    brier = brier_score(probabilities, truth)
    confidences = np.array([max(row) for row in probabilities])
    chosen = [int(np.argmax(row)) for row in probabilities]
    right = np.array([float(a == b) for a, b in zip(chosen, truth, strict=True)])
    bins = reliability(confidences, right, n_bins)
    return Calibration(
        ece=expected_calibration_error(bins),
        brier=brier,
        confidence=float(confidences.mean()),
        accuracy=float(right.mean()),
        n=len(truth),
        bins=bins,
    )
