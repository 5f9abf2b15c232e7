"""No held-out example has a part in its own decision, and no fold loses a class."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from headwise.heads import HeadActivations, HeadLayout, LayerHeads
from headwise.selection.centroids import HeadScoring, support_similarities
from headwise.selection.cross_validation import (
    HEAD_COUNTS,
    HeldOutDecisions,
    deal_folds,
    held_out_decisions,
)
from headwise.selection.nearest_centroid import rank_heads
from headwise.selection.sparse_readout import SparseReadout
from headwise.selection.voting import Voting
from headwise.selection.whitening import fit_whitening

LAYOUT = HeadLayout((LayerHeads(0, 4, 6), LayerHeads(3, 3, 9)))
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0, 0, 1, 0, 2, 3])
COUNTS = (1, 3, 7)


def noise(n: int, seed: int, layout: HeadLayout = LAYOUT) -> HeadActivations:
    generator = torch.Generator().manual_seed(seed)
    return HeadActivations(
        layout,
        tuple(torch.randn(n, e.n_heads, e.head_dim, generator=generator) for e in layout.layers),
    )


def validated(
    activations: HeadActivations,
    labels: Tensor = LABELS,
    *,
    counts: tuple[int, ...] = COUNTS,
    scoring: HeadScoring = "leave_one_out",
    whitened: bool = True,
    voting: Voting = "soft",
    seed: int = 0,
) -> HeldOutDecisions:
    found = held_out_decisions(
        activations,
        labels,
        int(labels.max()) + 1,
        counts=counts,
        scoring=scoring,
        whitened=whitened,
        voting=voting,
        seed=seed,
    )
    assert found is not None
    return found


def dealt(labels: Tensor, seed: int = 0) -> np.ndarray:
    return deal_folds(labels.tolist(), min(5, int(torch.bincount(labels).max())), seed)


def order_of(folds: np.ndarray) -> list[int]:
    """The examples in the order of the decisions: fold by fold."""
    return [int(row) for fold in range(folds.max() + 1) for row in np.flatnonzero(folds == fold)]


# --- Folds -----------------------------------------------------------------------------------

LABEL_LISTS = st.lists(st.integers(0, 5), min_size=1, max_size=30)


@given(labels=LABEL_LISTS, n_folds=st.integers(1, 6), seed=st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_every_class_keeps_a_training_example_in_every_fold(
    labels: list[int], n_folds: int, seed: int
) -> None:
    folds = deal_folds(labels, n_folds, seed)
    values = np.array(labels)
    for fold in set(folds[folds >= 0].tolist()):
        assert set(values[folds != fold]) == set(labels)


@given(labels=LABEL_LISTS, n_folds=st.integers(2, 6), seed=st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_classes_are_dealt_evenly_and_only_lone_examples_are_never_held_out(
    labels: list[int], n_folds: int, seed: int
) -> None:
    folds = deal_folds(labels, n_folds, seed)
    values = np.array(labels)
    for label in set(labels):
        mine = folds[values == label]
        if len(mine) == 1:
            assert mine.tolist() == [-1]
        else:
            counts = np.bincount(mine, minlength=n_folds)
            assert counts.max() - counts.min() <= 1
    sizes = np.bincount(folds[folds >= 0], minlength=n_folds)
    assert sizes.max() - sizes.min() <= 1


def test_the_seed_decides_the_folds() -> None:
    labels = [0, 1] * 20
    assert np.array_equal(deal_folds(labels, 5, 3), deal_folds(labels, 5, 3))
    assert not np.array_equal(deal_folds(labels, 5, 3), deal_folds(labels, 5, 4))


# --- Held-out decisions ----------------------------------------------------------------------


@pytest.mark.parametrize("voting", ["soft", "majority"])
@pytest.mark.parametrize("whitened", [True, False], ids=["whitened", "plain"])
@pytest.mark.parametrize("scoring", ["separation", "leave_one_out", "resubstitution"])
def test_decisions_are_those_of_a_classifier_of_the_other_folds(
    scoring: HeadScoring, whitened: bool, voting: Voting
) -> None:
    activations = noise(len(LABELS), 0)
    found = validated(activations, scoring=scoring, whitened=whitened, voting=voting)
    folds = dealt(LABELS)
    order = order_of(folds)
    assert torch.equal(found.labels, LABELS[order])
    for count, decisions in zip(COUNTS, found.decisions, strict=True):
        for row, example in enumerate(order):
            rest = torch.from_numpy(np.flatnonzero(folds != folds[example]))
            training = activations.rows(rest)
            whitening = fit_whitening(training, LABELS[rest], 4) if whitened else None
            seen = whitening.apply(training) if whitening is not None else training
            similar = support_similarities(seen, LABELS[rest], 4, scoring=scoring)
            readout = SparseReadout.fitted(
                training,
                LABELS[rest],
                4,
                rank_heads(similar, LABELS[rest], scoring).top(count),
                whitening=whitening,
                voting=voting,
            )
            expected = readout.decisions(activations.rows([example]))[0]
            assert torch.allclose(decisions[row], expected, atol=1e-5)


@pytest.mark.parametrize("voting", ["soft", "majority"])
def test_a_held_out_example_moves_no_decision_of_its_own_fold(voting: Voting) -> None:
    activations = noise(len(LABELS), 1)
    before = validated(activations, voting=voting)
    folds = dealt(LABELS)
    order = order_of(folds)
    for example in (0, 4, 11):
        changed = noise(len(LABELS), 1)
        for value in changed.values:
            value[example] = torch.randn(value[example].shape) * 50
        after = validated(changed, voting=voting)
        companions = [
            row
            for row, other in enumerate(order)
            if folds[other] == folds[example] and other != example
        ]
        for old, new in zip(before.decisions, after.decisions, strict=True):
            assert torch.allclose(new[companions], old[companions], atol=1e-12)
        others = [row for row, other in enumerate(order) if folds[other] != folds[example]]
        assert not torch.equal(after.decisions[-1][others], before.decisions[-1][others])


def test_noise_that_can_be_memorised_is_at_chance_held_out() -> None:
    layout = HeadLayout((LayerHeads(0, 20, 128),))
    labels = torch.arange(40) % 2
    accuracies = []
    for seed in range(12):
        activations = noise(40, seed, layout)
        similar = support_similarities(activations, labels, 2, scoring="resubstitution")
        assert rank_heads(similar, labels).scores[0] == 1.0
        found = validated(activations, labels, counts=(5,), scoring="resubstitution", seed=seed)
        accuracies.append(found.accuracies[0])
    assert 0.38 < float(np.mean(accuracies)) < 0.62


def test_a_planted_head_is_right_held_out() -> None:
    activations, labels = noise(40, 0), torch.arange(40) % 2
    activations.values[1][:, 2, 0] += 12.0 * (2 * labels - 1)
    assert validated(activations, labels, counts=(1, 2)).accuracies[0] == 1.0


def test_the_same_seed_gives_the_same_bits() -> None:
    activations = noise(len(LABELS), 2)
    first, second = validated(activations, seed=7), validated(activations, seed=7)
    assert all(map(torch.equal, first.decisions, second.decisions))
    other = validated(activations, seed=8)
    assert not all(map(torch.equal, first.decisions, other.decisions))


def test_one_example_a_class_cannot_be_validated() -> None:
    labels = torch.arange(4)
    assert (
        held_out_decisions(
            noise(4, 0),
            labels,
            4,
            counts=(1,),
            scoring="leave_one_out",
            whitened=True,
            voting="soft",
        )
        is None
    )


def test_more_heads_than_there_are_means_all_of_them() -> None:
    found = validated(noise(len(LABELS), 0), counts=(LAYOUT.n_heads, 10_000))
    assert torch.equal(found.of_count(LAYOUT.n_heads), found.of_count(10_000))


# --- How many heads --------------------------------------------------------------------------


def decided(*rights: int, n: int = 20) -> HeldOutDecisions:
    """Decisions that get so many of `n` examples right, for 1, 2, 3, ... heads."""
    labels = torch.zeros(n, dtype=torch.long)
    decisions = []
    for right in rights:
        values = torch.zeros(n, 2, dtype=torch.float64)
        values[:right, 0], values[right:, 1] = 1.0, 1.0
        decisions.append(values)
    return HeldOutDecisions(tuple(range(1, len(rights) + 1)), tuple(decisions), labels)


def test_accuracy_is_the_share_that_is_right() -> None:
    assert decided(5, 20, 0).accuracies == (0.25, 1.0, 0.0)


@pytest.mark.parametrize(
    ("rights", "best"),
    [
        ((10,), 1),
        ((10, 15, 20), 3),
        ((20, 15, 10), 1),
        ((15, 15, 15, 15), 1),
        ((10, 18, 18, 18, 18), 3),
        ((10, 20, 10, 11, 11), 2),
    ],
    ids=["one", "last", "first", "all the same", "smallest of equals", "peak"],
)
def test_the_best_count_is_the_smallest_of_the_most_accurate(
    rights: tuple[int, ...], best: int
) -> None:
    assert decided(*rights).best_count() == best


def test_a_lucky_count_among_poor_ones_is_not_the_best() -> None:
    assert decided(2, 15, 2, 2, 14, 14, 14, 2).best_count() == 6


def test_counts_to_try_are_distinct_and_ascending() -> None:
    assert list(HEAD_COUNTS) == sorted(set(HEAD_COUNTS))
    assert HEAD_COUNTS[0] == 1
