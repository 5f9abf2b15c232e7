"""Logistic regression on standardised features, its strength chosen by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
    n_folds = min(_MOST_FOLDS, int(np.bincount(labels).min()))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_MOST_STEPS))
    name = "logisticregression__C"
    if n_folds < 2:
        fitted = model.set_params(**{name: _UNVALIDATED}).fit(features, labels)
    else:
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        search = GridSearchCV(model, {name: list(STRENGTHS)}, scoring="neg_log_loss", cv=folds)
        fitted = search.fit(features, labels).best_estimator_
    scaler, regression = fitted[0], fitted[1]
    weights, bias = regression.coef_, regression.intercept_
    if len(weights) == 1:
        # Of two classes scikit-learn keeps the second one's log-odds.
        weights = np.concatenate([np.zeros_like(weights), weights])
        bias = np.concatenate([np.zeros_like(bias), bias])
    return LinearProbe(
        mean=scaler.mean_,
        scale=scaler.scale_,
        weights=weights,
        bias=bias,
        strength=float(regression.C),
        validated=n_folds >= 2,
    )
