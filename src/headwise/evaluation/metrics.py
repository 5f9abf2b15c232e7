"""Figures of classification with their intervals: accuracy, balanced accuracy, F1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headwise.errors import InputError
from headwise.evaluation.intervals import (
    Array,
    Design,
    Interval,
    Statistic,
    mean_interval,
    two_level,
)

ClassFigure = Literal["balanced accuracy", "macro F1", "F1"]


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """The classes that were right and those that were given, of every seed.

    Args:
        classes: Class names.
        truth: `(N,)` positions in `classes`.
        given: `(S, N)` positions in `classes`; -1 where another answer or none was given.
    """

    classes: tuple[str, ...]
    truth: NDArray[np.int64]
    given: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.given.ndim != 2 or self.given.shape[1:] != self.truth.shape or not self.truth.size:
            raise InputError(
                "Decisions need one answer a seed and item; got shapes "
                f"{self.given.shape} and {self.truth.shape}."
            )

    @classmethod
    def of(cls, truth: Sequence[str], given: Sequence[Sequence[str | None]]) -> Decisions:
        """Decisions by the names of classes.

        Args:
            truth: `N` right classes.
            given: Of each seed, `N` given ones; None where there is none.

        Returns:
            The decisions, with the classes that are right for any item.
        """
        classes = tuple(sorted(set(truth)))
        places = {name: number for number, name in enumerate(classes)}
        codes = [[places.get(name, -1) if name is not None else -1 for name in of] for of in given]
        return cls(
            classes,
            np.array([places[name] for name in truth], dtype=np.int64),
            np.array(codes, dtype=np.int64).reshape(len(given), -1),
        )

    @property
    def scores(self) -> Array:
        """`(S, N)`: 1 where the answer is right."""
        found: Array = (self.given == self.truth).astype(float)
        return found


def accuracy(decisions: Decisions, design: Design, *, seed: int = 0) -> Interval:
    """The share of right answers, the mean over seeds; see `mean_interval`."""
    return mean_interval(decisions.scores, design, seed=seed)


def class_figure(
    decisions: Decisions,
    design: Design,
    figure: ClassFigure,
    *,
    positive: str | None = None,
    seed: int = 0,
) -> Interval:
    """A figure that weighs classes, the mean over seeds.

    Args:
        decisions: What was right and what was given.
        design: What is drawn anew.
        figure: `"balanced accuracy"`, the mean recall of the classes; `"macro F1"`, their mean F1;
            `"F1"`, that of one class.
        positive: The class of `"F1"`.
        seed: Of the bootstrap.

    Returns:
        The figure with its interval. Answers that are of no class count against recall, and against
        nothing else.

    Raises:
        InputError: `positive` is none of the classes.
    """
    return two_level(statistic_of(decisions, figure, positive), design, seed=seed)


def statistic_of(
    decisions: Decisions, figure: ClassFigure, positive: str | None = None
) -> Statistic:
    """The figure under weights of seeds and items; see `class_figure`."""
    if figure == "F1" and positive not in decisions.classes:
        raise InputError(f"F1 is of one class of {', '.join(decisions.classes)}; got {positive!r}.")
    numbers = np.arange(len(decisions.classes))
    is_class = (decisions.truth[None] == numbers[:, None]).astype(float)

    def statistic(seeds: Array, items: Array) -> Array:
        actual = items @ is_class.T
        total = np.zeros(len(items))
        for of_seed, weight in zip(decisions.given, seeds.T, strict=True):
            said = (of_seed[None] == numbers[:, None]).astype(float)
            right = items @ (is_class * said).T
            given = items @ said.T
            total += weight * _figures(right, actual, given, figure, decisions, positive)
        found: Array = total / seeds.sum(axis=1)
        return found

    return statistic


def _figures(
    right: Array,
    actual: Array,
    given: Array,
    figure: ClassFigure,
    decisions: Decisions,
    positive: str | None,
) -> Array:
    """`(b,)` from counts `(b, C)`; classes that a replicate lacks do not count."""
    there = actual > 0
    if figure == "balanced accuracy":
        return _mean_where(right / np.maximum(actual, 1), there)
    f1 = 2 * right / np.maximum(actual + given, 1)
    if figure == "F1":
        found: Array = f1[:, decisions.classes.index(positive or "")]
        return found
    return _mean_where(f1, there | (given > 0))


def _mean_where(values: Array, there: NDArray[np.bool_]) -> Array:
    found: Array = (values * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return found
