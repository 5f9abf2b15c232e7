"""One factor makes decision values into probabilities that can be believed."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from headwise.selection.calibration import fit_scale


def drawn(n: int, n_classes: int, scale: float, seed: int) -> tuple[Tensor, Tensor]:
    """Decisions, and labels drawn from their softmax at a scale."""
    generator = torch.Generator().manual_seed(seed)
    decisions = torch.randn(n, n_classes, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(torch.softmax(scale * decisions, dim=1), 1, generator=generator)
    return decisions, labels[:, 0]


def log_loss(decisions: Tensor, labels: Tensor, scale: float) -> float:
    return float(torch.nn.functional.cross_entropy(scale * decisions, labels))


@pytest.mark.parametrize("true_scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_scale_that_drew_the_labels_is_found(n_classes: int, true_scale: float) -> None:
    decisions, labels = drawn(8_000, n_classes, true_scale, seed=0)
    assert fit_scale(decisions, labels) == pytest.approx(true_scale, rel=0.1)


@given(
    seed=st.integers(0, 10_000),
    n_classes=st.integers(2, 6),
    true_scale=st.floats(0.1, 8.0),
)
@settings(max_examples=40, deadline=None)
def test_log_loss_is_no_worse_than_without(seed: int, n_classes: int, true_scale: float) -> None:
    decisions, labels = drawn(500, n_classes, true_scale, seed)
    scale = fit_scale(decisions, labels)
    # The smoothing of targets may cost a little.
    assert log_loss(decisions, labels, scale) <= log_loss(decisions, labels, 1.0) + 0.005


def test_log_loss_is_clearly_better_where_decisions_are_far_off() -> None:
    decisions, labels = drawn(500, 3, 3.0, seed=0)
    for factor in (0.01, 100.0):
        wrong = decisions * factor
        assert log_loss(wrong, labels, fit_scale(wrong, labels)) < log_loss(wrong, labels, 1) - 0.1


@pytest.mark.parametrize("n", [1, 2, 10, 1_000])
@pytest.mark.parametrize("size", [1e-2, 1.0, 1e2])
def test_perfect_separation_stays_finite(n: int, size: float) -> None:
    labels = torch.arange(n) % 2
    decisions = size * torch.nn.functional.one_hot(labels, 2).double()
    scale = fit_scale(decisions, labels)
    assert math.isfinite(scale)
    surest = torch.softmax(scale * decisions, dim=1).gather(1, labels[:, None])
    assert bool((surest > 0.5).all())
    # Laplace's rule of succession: as sure as that many successes allow.
    assert float(surest.mean()) == pytest.approx((n + 1) / (n + 2), abs=0.01)


def test_more_examples_make_surer() -> None:
    def scale_of(n: int) -> float:
        labels = torch.arange(n) % 3
        return fit_scale(torch.nn.functional.one_hot(labels, 3).double(), labels)

    assert scale_of(3) < scale_of(30) < scale_of(300)


def test_decisions_that_are_wrong_are_not_trusted() -> None:
    labels = torch.arange(50) % 2
    decisions = torch.nn.functional.one_hot(1 - labels, 2).double()
    scale = fit_scale(decisions, labels)
    assert 1e-3 <= scale < 0.01


def test_decisions_that_say_nothing_give_a_finite_scale() -> None:
    scale = fit_scale(torch.zeros(6, 3, dtype=torch.float64), torch.arange(6) % 3)
    assert 1e-3 <= scale < math.inf


def test_the_units_of_the_decisions_do_not_matter() -> None:
    decisions, labels = drawn(300, 4, 2.0, seed=1)
    scale = fit_scale(decisions, labels)
    assert fit_scale(decisions * 10, labels) == pytest.approx(scale / 10, rel=1e-3)
    shifted = decisions + torch.linspace(-5, 5, 300)[:, None]
    assert fit_scale(shifted, labels) == pytest.approx(scale, rel=1e-3)
