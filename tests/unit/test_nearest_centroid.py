"""Heads rank by what they get right, and ties always break the same way."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from headwise.errors import InputError
from headwise.heads import HeadActivations, HeadIndex, HeadLayout, HeadSet, LayerHeads
from headwise.selection.centroids import HeadScoring, HeadSimilarities, support_similarities
from headwise.selection.nearest_centroid import gather_heads, rank_heads

LAYOUT = HeadLayout((LayerHeads(1, 2, 8), LayerHeads(4, 3, 4)))


def similarities(heads: dict[tuple[int, int], list[list[float]]]) -> HeadSimilarities:
    """Similarities given a head at a time as `(n, n_classes)`; heads left out say nothing."""
    n, n_classes = len(next(iter(heads.values()))), len(next(iter(heads.values()))[0])
    values, informative = [], []
    for entry in LAYOUT.layers:
        named = [(entry.layer, head) for head in range(entry.n_heads)]
        rows = [torch.tensor(heads.get(n_, [[0.0] * n_classes] * n)).double() for n_ in named]
        values.append(torch.stack(rows, dim=1))
        informative.append(torch.tensor([name in heads for name in named]))
    return HeadSimilarities(LAYOUT, tuple(values), tuple(informative))


def names(heads: HeadSet) -> list[tuple[int, int]]:
    return [(index.layer, index.head) for index in heads]


def noise(n: int, seed: int, layout: HeadLayout = LAYOUT) -> HeadActivations:
    generator = torch.Generator().manual_seed(seed)
    return HeadActivations(
        layout,
        tuple(torch.randn(n, e.n_heads, e.head_dim, generator=generator) for e in layout.layers),
    )


def ranked(
    activations: HeadActivations, labels: Tensor, scoring: HeadScoring = "leave_one_out"
) -> HeadSet:
    n_classes = int(labels.max()) + 1
    return rank_heads(support_similarities(activations, labels, n_classes, scoring=scoring), labels)


# Two examples, of class 0 and class 1.
BOTH_RIGHT_WIDE = [[0.9, 0.1], [0.1, 0.9]]
BOTH_RIGHT_NARROW = [[0.6, 0.5], [0.5, 0.6]]
ONE_RIGHT_WIDE = [[1.0, -1.0], [0.2, 0.1]]
NONE_RIGHT = [[0.1, 0.9], [0.9, 0.1]]
LABELS = torch.tensor([0, 1])


def test_the_count_comes_before_the_margin() -> None:
    found = rank_heads(
        similarities({(1, 0): NONE_RIGHT, (1, 1): ONE_RIGHT_WIDE, (4, 2): BOTH_RIGHT_NARROW}),
        LABELS,
    )
    assert names(found) == [(4, 2), (1, 1), (1, 0)]
    assert found.scores == (1.0, 0.5, 0.0)


def test_equal_counts_go_by_the_mean_margin() -> None:
    found = rank_heads(similarities({(1, 0): BOTH_RIGHT_NARROW, (4, 2): BOTH_RIGHT_WIDE}), LABELS)
    assert names(found) == [(4, 2), (1, 0)]


def test_the_margin_is_to_the_best_wrong_class() -> None:
    # The first head is further from most wrong classes, the second from the best of them.
    first = [[0.9, 0.8, -1.0, -1.0]] * 2
    second = [[0.9, 0.7, 0.7, 0.7]] * 2
    found = rank_heads(similarities({(1, 0): first, (1, 1): second}), torch.tensor([0, 0]))
    assert names(found) == [(1, 1), (1, 0)]


def test_exact_ties_go_to_the_shallower_layer_and_then_the_lower_head() -> None:
    everything = {(index.layer, index.head): BOTH_RIGHT_WIDE for index in LAYOUT}
    assert names(rank_heads(similarities(everything), LABELS)) == sorted(everything)


def test_equal_heads_tie_whatever_the_order_of_examples() -> None:
    layout = HeadLayout((LayerHeads(0, 3, 4), LayerHeads(3, 2, 4)))
    generator = torch.Generator().manual_seed(0)
    head = torch.randn(12, 4, generator=generator)
    labels = torch.tensor([0, 1, 2] * 4)
    for _ in range(20):
        order = torch.randperm(12, generator=generator)
        same = tuple(head[order][:, None].repeat(1, e.n_heads, 1) for e in layout.layers)
        found = ranked(HeadActivations(layout, same), labels[order])
        assert list(found) == list(layout)


def test_heads_that_say_nothing_are_left_out() -> None:
    found = rank_heads(similarities({(4, 1): ONE_RIGHT_WIDE}), LABELS)
    assert names(found) == [(4, 1)]


def test_no_head_that_tells_classes_apart_is_an_error() -> None:
    same = HeadActivations(
        LAYOUT, tuple(torch.ones(4, e.n_heads, e.head_dim) for e in LAYOUT.layers)
    )
    with pytest.raises(InputError, match="No attention head tells the classes apart"):
        ranked(same, torch.tensor([0, 1, 0, 1]))


@given(extra=st.lists(st.integers(0, 2), max_size=9), seed=st.integers(0, 10_000), data=st.data())
@settings(max_examples=40, deadline=None)
def test_the_order_of_examples_does_not_matter(
    extra: list[int], seed: int, data: st.DataObject
) -> None:
    labels = torch.tensor([0, 1, 2, *extra])
    order = torch.tensor(data.draw(st.permutations(range(len(labels)))))
    activations = noise(len(labels), seed)
    assert ranked(activations, labels) == ranked(activations.rows(order), labels[order])


@pytest.mark.parametrize("scoring", ["leave_one_out", "resubstitution"])
@pytest.mark.parametrize("seed", range(5))
def test_a_planted_head_comes_first(seed: int, scoring: HeadScoring) -> None:
    layout = HeadLayout(tuple(LayerHeads(layer, 8, 4) for layer in range(10)))
    activations = noise(40, seed, layout)
    labels = torch.arange(40) % 2
    activations.values[7][:, 3, 0] += 4.0 * (2 * labels - 1)
    best = ranked(activations, labels, scoring)
    assert best.indices[0] == HeadIndex(7, 3)
    assert len(best) == 80
    assert list(best.scores) == sorted(best.scores, reverse=True)


def test_scaling_a_head_changes_nothing() -> None:
    activations, labels = noise(12, 0), torch.arange(12) % 3
    # Powers of two, so that the floats scale exactly.
    scaled = HeadActivations(
        LAYOUT, tuple(v * 2.0**k for v, k in zip(activations.values, (-12, 12), strict=True))
    )
    assert names(ranked(scaled, labels)) == names(ranked(activations, labels))


def test_gathered_heads_stand_side_by_side() -> None:
    similar = support_similarities(noise(6, 0), torch.arange(6) % 2, 2, scoring="leave_one_out")
    found = gather_heads(similar, HeadSet.of([(4, 2), (1, 0)]))
    assert tuple(found.shape) == (6, 2, 2)
    assert torch.equal(found[:, 0], similar.values[1][:, 2])
    assert torch.equal(found[:, 1], similar.values[0][:, 0])
