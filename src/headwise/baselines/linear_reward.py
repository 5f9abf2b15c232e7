"""A linear reward of features, by logistic regression of pairs' differences and of judged rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from threadpoolctl import threadpool_limits

from headwise.baselines.linear_probe import spanning_axes
from headwise.errors import InputError
from headwise.methods.reward_support import GOOD, JudgedSupport
from headwise.selection.cross_validation import deal_folds

STRENGTHS = tuple(float(c) for c in np.logspace(-3, 3, 7))
"""The inverse regularisation strengths (scikit-learn's `C`) that are tried."""

_DEFAULT_STRENGTH = 1.0
_FOLDS = 5
_MOST_ITERATIONS = 2_000
# The intercept is a coefficient of a constant column; a large constant leaves it free.
_CONSTANT = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class LinearReward:
    """`reward = (features - center) . weights + intercept`.

    Args:
        center: `(d,)` float64.
        weights: `(d,)` float64.
        intercept: The reward at the center; 0 where it was fitted on pairs only.
        strength: The chosen inverse regularisation strength.
        held_out_loss: Its mean log-loss on held-out groups, in nats; None where there were too few.
    """

    center: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercept: float
    strength: float
    held_out_loss: float | None

    def values(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rewards `(n,)` of features `(n, d)`."""
        return (features - self.center) @ self.weights + self.intercept


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows of a logistic regression without intercept.

    Args:
        inputs: `(m, r + 1)`, the last column being the constant of single judgements.
        labels: `(m,)` int64, 1 for good.
        groups: `(m,)` the pair or judgement that each comes from.
    """

    inputs: NDArray[np.float64]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]


def fit_linear_reward(
    features: NDArray[np.float64], support: JudgedSupport, seed: int
) -> LinearReward:
    """Fits the reward.

    Features are centered and scaled by their spread over the support; see `spanning_axes` for why
    thousands of them cost no more than as many as there are rows.

    Args:
        features: `(n, d)` float64, one row a row of the support.
        support: Judged rows in the scalar form.
        seed: Seed of the folds.

    Returns:
        The reward.

    Raises:
        InputError: All rows of the support have the same features.
    """
    center, spread = features.mean(axis=0), features.std(axis=0)
    varies = spread > 1e-12 * max(float(spread.max()), 1e-300)
    if not varies.any():
        raise InputError(
            "All support responses look the same to the model, so a probe has nothing to go by; "
            "give responses that differ."
        )
    # Divided by the number of features, so that strengths mean the same for any model.
    scale = np.where(varies, 1.0 / (np.where(varies, spread, 1.0) * np.sqrt(varies.sum())), 0.0)
    scaled = (features - center) * scale
    axes = spanning_axes(scaled)
    # On a few numbers threads cost many times what they save.
    with threadpool_limits(1):
        fitted, loss = _fitted(_rows(scaled @ axes, support), seed)
    coefficients = fitted.coef_[0]
    return LinearReward(
        center=center,
        weights=(axes @ coefficients[:-1]) * scale,
        intercept=float(coefficients[-1] * _CONSTANT),
        strength=float(fitted.C),
        held_out_loss=loss,
    )


def _rows(reduced: NDArray[np.float64], support: JudgedSupport) -> _Rows:
    """Differences of pairs, in both directions, and single judgements with a constant."""
    by_group: dict[int, list[int]] = {}
    for row, group in enumerate(support.groups):
        by_group.setdefault(group, []).append(row)
    is_good = (support.labels == GOOD).numpy()
    inputs, labels, groups = [], [], []
    for group, members in by_group.items():
        if len(members) == 2:
            good, bad = sorted(members, key=lambda row: not is_good[row])
            difference = np.append(reduced[good] - reduced[bad], 0.0)
            inputs += [difference, -difference]
            labels += [1, 0]
            groups += [group, group]
        else:
            inputs.append(np.append(reduced[members[0]], _CONSTANT))
            labels.append(int(is_good[members[0]]))
            groups.append(group)
    return _Rows(np.stack(inputs), np.array(labels), np.array(groups))


def _fitted(rows: _Rows, seed: int) -> tuple[LogisticRegression, float | None]:
    model = LogisticRegression(
        C=_DEFAULT_STRENGTH, fit_intercept=False, max_iter=_MOST_ITERATIONS, tol=1e-6
    )
    folds = _folds(rows, seed)
    if folds is None:
        return model.fit(rows.inputs, rows.labels), None
    search = GridSearchCV(
        model,
        {"C": STRENGTHS},
        scoring="neg_log_loss",
        cv=PredefinedSplit(folds),
        error_score="raise",
    )
    search.fit(rows.inputs, rows.labels)
    return search.best_estimator_, -float(search.best_score_)


def _folds(rows: _Rows, seed: int) -> NDArray[np.int64] | None:
    """A fold for each row, whole groups together; None where too few groups can be held out."""
    present, first = np.unique(rows.groups, return_index=True)
    is_pair = np.isin(present, rows.groups[(rows.inputs[:, -1] == 0)])
    kinds = np.where(is_pair, 2, rows.labels[first])
    dealt = deal_folds(kinds.tolist(), min(_FOLDS, len(present)), seed)
    folds = dealt[np.searchsorted(present, rows.groups)]
    usable = [fold for fold in set(folds[folds >= 0].tolist()) if _both(rows.labels, folds, fold)]
    if len(usable) < 2:
        return None
    return np.where(np.isin(folds, usable), folds, -1)


def _both(labels: NDArray[np.int64], folds: NDArray[np.int64], fold: int) -> bool:
    """Whether a fold holds, and leaves for training, judgements of both kinds."""
    held = folds == fold
    return len(set(labels[held])) == 2 and len(set(labels[~held])) == 2
