"""Directions tell good from bad by what differs reliably, judged on groups that were left out."""

from __future__ import annotations

import pytest
import torch

from headwise.errors import UninformativeHeadsError
from headwise.heads import HeadActivations, HeadIndex, HeadLayout, LayerHeads
from headwise.selection.directions import fit_directions

LAYOUT = HeadLayout((LayerHeads(0, 3, 8), LayerHeads(2, 2, 5)))
PLANTED = HeadIndex(2, 1)


def pairs(n: int, *, seed: int = 0, shift: float = 0.0) -> HeadActivations:
    """Rows alternate good and bad; the planted head differs by `shift` along its first axis."""
    generator = torch.Generator().manual_seed(seed)
    values = tuple(
        torch.randn(2 * n, entry.n_heads, entry.head_dim, generator=generator)
        for entry in LAYOUT.layers
    )
    values[1][0::2, PLANTED.head, 0] += shift
    return HeadActivations(LAYOUT, values)


def good_rows(n: int) -> torch.Tensor:
    return torch.arange(2 * n) % 2 == 0


def groups(n: int) -> list[int]:
    return [row // 2 for row in range(2 * n)]


def test_a_planted_head_comes_first_and_tells_new_pairs_apart() -> None:
    fitted = fit_directions(pairs(30, shift=4.0), good_rows(30), groups(30))
    assert fitted.ranked.indices[0] == PLANTED
    margins = fitted.readout(1).margins(pairs(50, seed=1, shift=4.0))
    assert float((margins[0::2] > margins[1::2]).double().mean()) > 0.95


def test_noise_separates_nothing_that_was_left_out() -> None:
    separations = torch.tensor(
        [
            fit_directions(pairs(20, seed=seed), good_rows(20), groups(20)).ranked.scores
            for seed in range(20)
        ]
    )
    assert abs(float(separations.mean())) < 0.15


def test_a_variance_shared_by_good_and_bad_does_not_hide_the_difference() -> None:
    support, queries = pairs(40, shift=1.5), pairs(200, seed=5, shift=1.5)
    for activations in (support, queries):
        activations.values[1][:, PLANTED.head, 1] *= 8.0
    margins = fit_directions(support, good_rows(40), groups(40)).readout(1).margins(queries)
    whitened = float((margins[0::2] > margins[1::2]).double().mean())
    head = support.head(PLANTED)
    difference = head[0::2].mean(dim=0) - head[1::2].mean(dim=0)
    plain = queries.head(PLANTED) @ difference
    unwhitened = float((plain[0::2] > plain[1::2]).double().mean())
    assert whitened > unwhitened


def test_zero_lies_half_way_between_good_and_bad() -> None:
    support = pairs(30, shift=4.0)
    fitted = fit_directions(support, good_rows(30), groups(30)).readout(1)
    margins = fitted.margins(support)
    assert float(margins[0::2].mean()) == pytest.approx(-float(margins[1::2].mean()), abs=1e-4)


def test_the_order_of_rows_is_of_no_account() -> None:
    support, order = pairs(10, shift=2.0), torch.randperm(20, generator=torch.manual_seed(3))
    one = fit_directions(support, good_rows(10), groups(10))
    shuffled_groups = [groups(10)[int(row)] for row in order]
    other = fit_directions(support.rows(order), good_rows(10)[order], shuffled_groups)
    assert one.ranked.indices == other.ranked.indices
    assert torch.allclose(torch.tensor(one.ranked.scores), torch.tensor(other.ranked.scores))


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_pairs_are_enough_and_finite(n: int) -> None:
    margins = fit_directions(pairs(n), good_rows(n), groups(n)).readout(5).margins(pairs(3, seed=2))
    assert bool(torch.isfinite(margins).all())


def test_the_same_texts_on_both_sides_are_an_error() -> None:
    support = pairs(4)
    for value in support.values:
        value[1::2] = value[0::2]
    with pytest.raises(UninformativeHeadsError):
        fit_directions(support, good_rows(4), groups(4))
