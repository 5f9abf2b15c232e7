"""Whitening takes out what varies within the classes, and never makes anything infinite."""

from __future__ import annotations

import torch

from headwise.heads import HeadActivations, HeadIndex, HeadLayout, LayerHeads
from headwise.selection.whitening import fit_whitening

LAYOUT = HeadLayout((LayerHeads(1, 2, 4), LayerHeads(3, 1, 6)))


def noise(n: int, seed: int = 0) -> HeadActivations:
    generator = torch.Generator().manual_seed(seed)
    return HeadActivations(
        LAYOUT,
        tuple(
            torch.randn(n, entry.n_heads, entry.head_dim, generator=generator)
            for entry in LAYOUT.layers
        ),
    )


def within_class_deviations(activations: HeadActivations, labels: torch.Tensor) -> torch.Tensor:
    values = activations.layer(1)[:, 0]
    means = torch.stack([values[labels == c].mean(dim=0) for c in range(2)])
    return (values - means[labels]).std(dim=0)


def test_a_direction_that_varies_within_classes_loses_its_weight() -> None:
    labels = torch.arange(400) % 2
    activations = noise(400)
    activations.values[0][:, 0, 0] *= 30.0
    before = within_class_deviations(activations, labels)
    after = within_class_deviations(
        fit_whitening(activations, labels, 2).apply(activations), labels
    )
    assert before[0] / before[1:].mean() > 20
    assert after[0] / after[1:].mean() < 5


def test_one_example_a_class_changes_nothing() -> None:
    activations = noise(3)
    whitened = fit_whitening(activations, torch.arange(3), 3).apply(activations)
    assert all(map(torch.equal, whitened.values, activations.values))


def test_few_examples_change_less_than_many() -> None:
    labels = torch.arange(200) % 2
    many = noise(200)
    many.values[0][:, 0, 0] *= 30.0
    few = many.rows(range(6))

    def weight_left(activations: HeadActivations, n: int) -> float:
        moved = fit_whitening(activations, labels[:n], 2).of_head(HeadIndex(1, 0))
        return float(moved[0, 0] / moved[1, 1])

    assert weight_left(many, 200) < weight_left(few, 6) < 1


def test_a_constant_head_stays_finite() -> None:
    activations = noise(8)
    activations.values[1].fill_(3.0)
    whitened = fit_whitening(activations, torch.arange(8) % 2, 2).apply(activations)
    whitened.check_finite()


def test_the_map_of_a_head_is_what_is_applied() -> None:
    activations = noise(10)
    whitening = fit_whitening(activations, torch.arange(10) % 2, 2)
    index = HeadIndex(3, 0)
    expected = activations.head(index).double() @ whitening.of_head(index).T
    assert torch.allclose(whitening.apply(activations).head(index), expected.float())
