"""Turns decision values into probabilities by one temperature."""

from __future__ import annotations

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

_BOUNDS = (math.log(1e-3), math.log(1e4))


def fit_scale(decisions: Tensor, labels: Tensor) -> float:
    """The factor on decision values whose softmax is best calibrated on held-out decisions.

    Targets are smoothed by `1 / (m + 2)`, as in Platt scaling, so that perfectly separated examples
    do not drive the factor to infinity.

    Args:
        decisions: `(m, n_classes)` held-out decision values.
        labels: `(m,)` int64 class numbers.

    Returns:
        The factor, at least 1e-3.

    Source: temperature scaling, arXiv:1706.04599, section 4; the smoothing is Platt's (1999).
    """
    n, n_classes = decisions.shape
    smoothing = 1 / (n + 2)
    targets = torch.full_like(decisions, smoothing / max(n_classes - 1, 1))
    targets[torch.arange(n), labels] = 1 - smoothing

    def loss(log_scale: float) -> float:
        logprobs = torch.log_softmax(decisions * math.exp(log_scale), dim=1)
        return -float((targets * logprobs).sum(dim=1).mean())

    found = minimize_scalar(loss, bounds=_BOUNDS, method="bounded")
    return float(math.exp(found.x))
