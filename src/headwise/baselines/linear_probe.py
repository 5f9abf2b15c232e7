"""Logistic regression on standardised features, its strength chosen by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from threadpoolctl import threadpool_limits

# Inverse strengths of the penalty that are tried; few features are told apart by large ones, many
# thousand by small ones.
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
_UNVALIDATED = 1e-2
_MOST_FOLDS = 5
_MOST_STEPS = 1_000


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """A fitted logistic regression.

    Args:
        mean: What is taken off each feature, `(width,)`.
        scale: What each is divided by, `(width,)`.
        weights: `(n_classes, width)`.
        bias: `(n_classes,)`.
        strength: scikit-learn's `C` that was chosen.
        validated: Whether it was chosen by cross-validation.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    strength: float
    validated: bool

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Class probabilities of features `(n, width)`: `(n, n_classes)`, rows sum to 1."""
        standard = (features - self.mean) / self.scale
        return np.asarray(softmax(standard @ self.weights.T + self.bias, axis=1))


def fit_probe(
    features: NDArray[np.float64], labels: NDArray[np.int64], seed: int = 0
) -> LinearProbe:
    """Fits a probe.

    Args:
        features: `(n, width)`.
        labels: `(n,)` class numbers from 0; every class occurs.
        seed: Seed of the folds.

    Returns:
        The probe. With a single example of some class nothing can be held out; then the penalty
        is a fixed, strong one.
    """
    mean, scale = features.mean(axis=0), features.std(axis=0)
    # One that never varies tells nothing, and must not be divided by rounding.
    scale = np.where(scale <= np.finfo(np.float64).eps * (1 + np.abs(mean)), 1.0, scale)
    standard = (features - mean) / scale
    axes = spanning_axes(standard)
    n_folds = min(_MOST_FOLDS, int(np.bincount(labels).min()))
    # On a few numbers threads cost many times what they save.
    with threadpool_limits(1):
        fitted = _fitted(standard @ axes, labels, n_folds, seed)
    weights, bias = fitted.coef_ @ axes.T, fitted.intercept_
    if len(weights) == 1:
        # Of two classes scikit-learn keeps the second one's log-odds.
        weights = np.concatenate([np.zeros_like(weights), weights])
        bias = np.concatenate([np.zeros_like(bias), bias])
    return LinearProbe(mean, scale, weights, bias, float(fitted.C), n_folds >= 2)


def spanning_axes(standard: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal directions `(width, r)` that span the rows of features `(n, width)`.

    With a quadratic penalty the weights lie in that span, so that thousands of features are
    fitted as few as there are examples, with the same outcome.
    """
    if standard.shape[1] <= len(standard):
        return np.eye(standard.shape[1])
    squares, rows = np.linalg.eigh(standard @ standard.T)
    there = squares > squares[-1] * len(standard) * np.finfo(np.float64).eps
    return np.asarray(standard.T @ rows[:, there] / np.sqrt(squares[there]))


def _fitted(
    coordinates: NDArray[np.float64], labels: NDArray[np.int64], n_folds: int, seed: int
) -> LogisticRegression:
    model = LogisticRegression(C=_UNVALIDATED, max_iter=_MOST_STEPS, tol=1e-5)
    if n_folds < 2:
        return model.fit(coordinates, labels)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    search = GridSearchCV(model, {"C": list(STRENGTHS)}, scoring="neg_log_loss", cv=folds)
    return search.fit(coordinates, labels).best_estimator_
