"""Similarities to class centroids equal their definition, computed head by head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from headwise.errors import InputError
from headwise.heads import HeadActivations, HeadLayout, HeadSet, LayerHeads
from headwise.selection.centroids import (
    HeadScoring,
    HeadSimilarities,
    class_means,
    query_similarities,
    support_similarities,
)
from headwise.selection.sparse_readout import SparseReadout
from headwise.selection.whitening import fit_whitening

RAGGED = HeadLayout((LayerHeads(0, 2, 3), LayerHeads(2, 3, 6), LayerHeads(5, 1, 1)))
SUPPORTS = {
    "balanced": [0, 1, 2] * 4,
    "unbalanced": [0] * 9 + [1] * 2 + [2] * 4,
    "one example of each class": [2, 0, 1],
    "one example of some class": [1, 0, 0, 0, 2, 2],
    "hundreds of classes": [*range(200), *range(100)],
}


def noise(
    n: int, layout: HeadLayout = RAGGED, seed: int = 0, offset: float = 0.0
) -> HeadActivations:
    generator = torch.Generator().manual_seed(seed)
    return HeadActivations(
        layout,
        tuple(
            torch.randn(n, e.n_heads, e.head_dim, generator=generator) + offset
            for e in layout.layers
        ),
    )


def one_head(values: Tensor) -> HeadActivations:
    """Activations of a model with a single head; `values` is `(n, dim)`."""
    layout = HeadLayout((LayerHeads(0, 1, values.shape[1]),))
    return HeadActivations(layout, (values.float()[:, None],))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths > 1e-12 else 0.0


def by_definition(x: np.ndarray, labels: Sequence[int], scoring: HeadScoring) -> np.ndarray:
    """Similarities of one head's `(n, dim)` activations, an example and a class at a time."""
    n_classes = max(labels) + 1
    found = np.empty((len(x), n_classes))
    members = {c: [row for row, label in enumerate(labels) if label == c] for c in set(labels)}
    whole = [x[members[c]].mean(axis=0) for c in range(n_classes)]
    for row, label in enumerate(labels):
        means = list(whole)
        others = [one for one in members[label] if one != row]
        if scoring != "resubstitution" and others:
            means[label] = x[others].mean(axis=0)
        found[row] = [cosine(x[row], mean) for mean in means]
    return found


def assert_by_definition(
    activations: HeadActivations, labels: list[int], scoring: HeadScoring
) -> None:
    found = support_similarities(
        activations, torch.tensor(labels), max(labels) + 1, scoring=scoring
    )
    assert found.layout == activations.layout
    for values, layer in zip(found.values, activations.values, strict=True):
        assert values.dtype == torch.float64
        assert tuple(values.shape) == (len(labels), layer.shape[1], max(labels) + 1)
        for head in range(layer.shape[1]):
            expected = by_definition(layer[:, head].double().numpy(), labels, scoring)
            np.testing.assert_allclose(values[:, head].numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("labels", SUPPORTS.values(), ids=SUPPORTS.keys())
@pytest.mark.parametrize("scoring", ["resubstitution", "leave_one_out"])
def test_similarities_equal_their_definition(scoring: HeadScoring, labels: list[int]) -> None:
    # The definition is slow: with many classes, one head must do.
    layout = RAGGED if len(labels) < 100 else HeadLayout((LayerHeads(4, 1, 6),))
    assert_by_definition(noise(len(labels), layout), labels, scoring)


@pytest.mark.parametrize("scoring", ["resubstitution", "leave_one_out"])
def test_they_do_so_far_from_the_origin(scoring: HeadScoring) -> None:
    labels = SUPPORTS["unbalanced"]
    assert_by_definition(noise(len(labels), offset=300.0), labels, scoring)


@given(
    extra=st.lists(st.integers(0, 3), max_size=12),
    seed=st.integers(0, 10_000),
    scoring=st.sampled_from(["resubstitution", "leave_one_out"]),
)
@settings(max_examples=50, deadline=None)
def test_they_do_so_for_any_support(extra: list[int], seed: int, scoring: HeadScoring) -> None:
    labels = [0, 1, 2, 3, *extra]
    assert_by_definition(noise(len(labels), seed=seed), labels, scoring)


def test_leaving_one_out_does_not_reward_memory() -> None:
    labels = torch.tensor([0, 1] * 10)
    activations = noise(20, HeadLayout((LayerHeads(0, 40, 64),)))
    accuracy = {}
    for scoring in ("resubstitution", "leave_one_out"):
        similar = support_similarities(activations, labels, 2, scoring=scoring)
        right = similar.values[0].argmax(dim=2) == labels[:, None]
        accuracy[scoring] = float(right.double().mean())
    assert accuracy["resubstitution"] > 0.95
    assert accuracy["leave_one_out"] < 0.6


def test_labels_must_go_with_activations() -> None:
    with pytest.raises(InputError, match="4 activations and 3 labels"):
        support_similarities(noise(4), torch.tensor([0, 1, 0]), 2, scoring="leave_one_out")


def test_rows_picks_examples() -> None:
    similar = support_similarities(noise(6), torch.tensor([0, 1] * 3), 2, scoring="resubstitution")
    picked = similar.rows(torch.tensor([4, 1]))
    for ours, theirs in zip(picked.values, similar.values, strict=True):
        assert torch.equal(ours, torch.stack([theirs[4], theirs[1]]))


# --- Which heads say anything ----------------------------------------------------------------


def informative(values: Tensor, labels: list[int]) -> bool:
    found: HeadSimilarities = support_similarities(
        one_head(values), torch.tensor(labels), 2, scoring="leave_one_out"
    )
    return bool(found.informative[0][0])


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("rounding", [0.0, 1e-7, 1e-6])
def test_a_constant_head_is_not_informative(size: float, rounding: float) -> None:
    generator = torch.Generator().manual_seed(0)
    constant = size * torch.randn(16, generator=generator)
    values = constant * (1 + rounding * torch.randn(10, 16, generator=generator))
    assert not informative(values, [0, 1] * 5)


def test_a_silent_head_is_not_informative() -> None:
    assert not informative(torch.zeros(4, 3), [0, 1, 0, 1])


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_a_small_but_real_difference_is_informative(size: float) -> None:
    values = size * torch.ones(10, 8)
    values[::2, 0] *= 1.01
    assert informative(values, [0, 1] * 5)


def test_each_head_is_judged_on_its_own() -> None:
    activations = noise(8)
    activations.values[1][:, 2] = 0.5
    found = support_similarities(activations, torch.tensor([0, 1] * 4), 2, scoring="leave_one_out")
    assert [value.tolist() for value in found.informative] == [
        [True, True],
        [True, True, False],
        [True],
    ]


# --- Parts -----------------------------------------------------------------------------------


def test_class_means_are_the_means_of_the_classes() -> None:
    values, labels = torch.randn(7, 2, 3), torch.tensor([1, 0, 1, 1, 2, 0, 1])
    means = class_means(values, labels, 3)
    for label in range(3):
        assert torch.allclose(means[label], values[labels == label].mean(dim=0), atol=1e-6)


def test_query_similarities_are_cosines() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, centroids = (torch.randn(n, 4, generator=generator) for n in (5, 3))
    found = query_similarities(queries, centroids)
    for row, query in enumerate(queries.double().numpy()):
        expected = [cosine(query, centroid) for centroid in centroids.double().numpy()]
        np.testing.assert_allclose(found[row].numpy(), expected, atol=1e-12)


def test_a_query_of_nothing_is_like_no_class() -> None:
    assert query_similarities(torch.zeros(1, 4), torch.randn(3, 4)).tolist() == [[0.0] * 3]


@pytest.mark.parametrize("whitened", [True, False], ids=["whitened", "plain"])
def test_a_readout_compares_queries_with_the_kept_heads_centroids(whitened: bool) -> None:
    support, queries = noise(9, offset=1.0), noise(4, seed=1, offset=1.0)
    labels = torch.tensor([0, 0, 0, 0, 0, 1, 1, 2, 2])
    heads = HeadSet.of([(5, 0), (2, 1), (0, 0)])
    whitening = fit_whitening(support, labels, 3) if whitened else None
    readout = SparseReadout.fitted(support, labels, 3, heads, whitening=whitening, voting="soft")
    found = readout.similarities(queries)
    assert tuple(found.shape) == (4, 3, 3)
    if whitening is not None:
        support, queries = whitening.apply(support), whitening.apply(queries)
    for place, index in enumerate(heads):
        x = support.head(index).double().numpy()
        means = [x[labels.numpy() == label].mean(axis=0) for label in range(3)]
        for row, query in enumerate(queries.head(index).double().numpy()):
            expected = [cosine(query, mean) for mean in means]
            np.testing.assert_allclose(found[row, place].numpy(), expected, atol=1e-5)


def test_a_readout_needs_a_centroid_table_a_head() -> None:
    with pytest.raises(InputError):
        SparseReadout(HeadSet.of([(0, 0), (0, 1)]), (torch.ones(2, 3),), (), "soft")
    with pytest.raises(InputError):
        SparseReadout(HeadSet.of([]), (), (), "soft")
