"""Heads vote: by mean similarity, or by majority with the published rule for ties."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from headwise.selection.voting import Voting, decide, decide_by_count


def similarities(n: int, n_heads: int, n_classes: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, n_heads, n_classes, generator=generator, dtype=torch.float64) * 2 - 1


def votes_for(*classes: int, n_classes: int = 3) -> Tensor:
    """One query of which the heads, best first, are most like these classes."""
    return torch.nn.functional.one_hot(torch.tensor([classes]), n_classes).double()


def majority_winner(row: Tensor) -> int:
    """What a loop over heads says: most votes; of equals, the first that got any."""
    votes = Counter(int(head.argmax()) for head in row)
    most = max(votes.values())
    return next(choice for choice in votes if votes[choice] == most)


# Many heads and few classes tie often; few heads and many classes nearly always.
SHAPES = st.tuples(st.integers(1, 12), st.integers(2, 9))


@given(shape=SHAPES, seed=st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_majority_is_what_counting_gives(shape: tuple[int, int], seed: int) -> None:
    values = similarities(16, *shape, seed)
    found = decide(values, "majority").argmax(dim=1).tolist()
    assert found == [majority_winner(row) for row in values]


@pytest.mark.parametrize(
    ("votes", "winner"),
    [
        ((2, 0, 1), 2),
        ((1, 0, 0, 1), 1),
        ((0, 1, 1, 0), 0),
        ((2, 1, 1, 0), 1),
        ((0, 2, 1, 2, 1), 2),
    ],
)
def test_a_tie_goes_to_the_class_voted_for_first(votes: tuple[int, ...], winner: int) -> None:
    assert int(decide(votes_for(*votes), "majority").argmax()) == winner


def test_one_vote_more_beats_any_early_vote() -> None:
    n_heads = 41
    votes = [0] * 20 + [1] * 21
    decisions = decide(votes_for(*votes), "majority")[0]
    assert len(votes) == n_heads
    assert decisions[1] > decisions[0] > decisions[2]


@given(shape=SHAPES, seed=st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_classes_with_more_votes_have_larger_decisions(shape: tuple[int, int], seed: int) -> None:
    n_classes = shape[1]
    values = similarities(1, *shape, seed)
    counts = torch.bincount(values[0].argmax(dim=1), minlength=n_classes)
    decisions = decide(values, "majority")[0]
    for a in range(n_classes):
        for b in range(n_classes):
            if counts[a] > counts[b]:
                assert decisions[a] > decisions[b]


def test_soft_voting_is_the_mean_over_heads() -> None:
    values = similarities(5, 7, 3, 0)
    found = decide(values, "soft")
    for row in range(5):
        for label in range(3):
            mean = sum(float(values[row, head, label]) for head in range(7)) / 7
            assert float(found[row, label]) == pytest.approx(mean, abs=1e-12)


@pytest.mark.parametrize("voting", ["soft", "majority"])
def test_one_head_decides_alone(voting: Voting) -> None:
    values = similarities(20, 1, 4, 0)
    assert torch.equal(decide(values, voting).argmax(dim=1), values[:, 0].argmax(dim=1))


@pytest.mark.parametrize("voting", ["soft", "majority"])
def test_decisions_are_float64_and_one_a_class(voting: Voting) -> None:
    found = decide(similarities(4, 6, 5, 0).float(), voting)
    assert found.dtype == torch.float64
    assert tuple(found.shape) == (4, 5)


@pytest.mark.parametrize("voting", ["soft", "majority"])
@pytest.mark.parametrize("counts", [(1, 2, 3, 12), (7,), (12, 1), (5, 5)])
def test_decisions_by_count_are_those_of_the_best_heads(
    counts: tuple[int, ...], voting: Voting
) -> None:
    values = similarities(30, 12, 4, 1)
    found = decide_by_count(values, counts, voting)
    assert len(found) == len(counts)
    for count, decisions in zip(counts, found, strict=True):
        expected = decide(values[:, :count], voting)
        assert torch.allclose(decisions, expected, atol=1e-12)
        assert torch.equal(decisions.argmax(dim=1), expected.argmax(dim=1))
