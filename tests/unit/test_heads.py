"""Heads: which there are, their order, and that every tensor fits its head."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from headwise.errors import ActivationError, InputError
from headwise.heads import (
    HeadActivations,
    HeadIndex,
    HeadLayout,
    HeadSet,
    HeadVectors,
    LayerHeads,
    Steering,
)

# Attention on some layers only, with another head count and width on each.
RAGGED = HeadLayout((LayerHeads(0, 2, 3), LayerHeads(2, 4, 5), LayerHeads(7, 1, 2)))
UNIFORM = HeadLayout((LayerHeads(0, 2, 3), LayerHeads(1, 2, 3)))


def activations(layout: HeadLayout, n: int, seed: int = 0) -> HeadActivations:
    generator = torch.Generator().manual_seed(seed)
    return HeadActivations(
        layout,
        tuple(torch.randn(n, e.n_heads, e.head_dim, generator=generator) for e in layout.layers),
    )


# --- HeadIndex and HeadSet -------------------------------------------------------------------


def test_heads_sort_by_layer_and_then_by_head() -> None:
    shuffled = [HeadIndex(2, 0), HeadIndex(0, 10), HeadIndex(0, 9), HeadIndex(1, 3)]
    assert [str(index) for index in sorted(shuffled)] == ["L0H9", "L0H10", "L1H3", "L2H0"]


def test_a_head_set_keeps_the_order_it_is_given() -> None:
    heads = HeadSet.of([(5, 1), (0, 3), HeadIndex(5, 0)])
    assert list(heads) == [HeadIndex(5, 1), HeadIndex(0, 3), HeadIndex(5, 0)]
    assert len(heads) == 3
    assert HeadIndex(0, 3) in heads
    assert HeadIndex(3, 0) not in heads


def test_a_head_set_knows_its_layers() -> None:
    heads = HeadSet.of([(5, 1), (0, 3), (5, 0)])
    assert heads.layers == (0, 5)
    assert heads.deepest_layer == 5
    assert list(heads.by_layer().items()) == [(0, (3,)), (5, (0, 1))]


def test_top_keeps_the_best_with_their_scores() -> None:
    heads = HeadSet((HeadIndex(3, 0), HeadIndex(1, 1), HeadIndex(2, 2)), (0.9, 0.5, 0.1))
    assert heads.top(2) == HeadSet((HeadIndex(3, 0), HeadIndex(1, 1)), (0.9, 0.5))
    assert heads.top(10) == heads


def test_a_head_set_needs_a_score_a_head() -> None:
    with pytest.raises(InputError, match="2 heads and 1 scores"):
        HeadSet((HeadIndex(0, 0), HeadIndex(0, 1)), (1.0,))


def test_a_head_set_names_no_head_twice() -> None:
    with pytest.raises(InputError, match="once"):
        HeadSet.of([(0, 1), (1, 1), (0, 1)])


def test_an_empty_head_set_has_no_deepest_layer() -> None:
    with pytest.raises(InputError, match="empty"):
        _ = HeadSet.of([]).deepest_layer


# --- HeadLayout ------------------------------------------------------------------------------


def test_a_layout_lists_heads_layer_by_layer() -> None:
    assert [str(index) for index in RAGGED] == [
        *("L0H0", "L0H1"),
        *("L2H0", "L2H1", "L2H2", "L2H3"),
        "L7H0",
    ]
    assert RAGGED.n_heads == 7
    assert list(RAGGED.all_heads()) == list(RAGGED)


@pytest.mark.parametrize("layers", [[], [1, 0], [0, 0]])
def test_a_layout_needs_ascending_distinct_layers(layers: list[int]) -> None:
    with pytest.raises(InputError, match="ascending"):
        HeadLayout(tuple(LayerHeads(number, 2, 3) for number in layers))


def test_head_dim_is_that_of_the_heads_own_layer() -> None:
    assert [RAGGED.head_dim(index) for index in RAGGED] == [3, 3, 5, 5, 5, 5, 2]


@pytest.mark.parametrize("head", [(1, 0), (2, 4), (2, -1), (8, 0)])
def test_a_head_that_does_not_exist_is_an_error(head: tuple[int, int]) -> None:
    with pytest.raises(InputError):
        RAGGED.head_dim(HeadIndex(*head))


def test_only_layers_alike_in_count_and_width_are_uniform() -> None:
    assert UNIFORM.is_uniform
    assert not RAGGED.is_uniform
    assert not HeadLayout((LayerHeads(0, 2, 3), LayerHeads(1, 2, 4))).is_uniform
    assert not HeadLayout((LayerHeads(0, 2, 3), LayerHeads(1, 3, 3))).is_uniform


def test_restricting_a_layout_keeps_its_order() -> None:
    restricted = RAGGED.restricted_to((7, 0, 7))
    assert restricted.layers == (LayerHeads(0, 2, 3), LayerHeads(7, 1, 2))


def test_restricting_to_a_layer_without_heads_says_which_have_some() -> None:
    with pytest.raises(InputError, match="0, 2, 7"):
        RAGGED.restricted_to((0, 1))


# --- HeadActivations and HeadVectors ---------------------------------------------------------


@pytest.mark.parametrize(
    "shapes",
    [
        [(4, 2, 3), (4, 4, 5)],
        [(4, 2, 3), (4, 4, 5), (4, 1, 2), (4, 1, 2)],
        [(4, 2, 3), (3, 4, 5), (4, 1, 2)],
        [(4, 2, 3), (4, 5, 4), (4, 1, 2)],
        [(4, 2, 3), (4, 4, 5), (4, 2)],
    ],
    ids=["too few", "too many", "other row count", "swapped axes", "missing axis"],
)
def test_activations_must_fit_their_layout(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(InputError):
        HeadActivations(RAGGED, tuple(torch.zeros(shape) for shape in shapes))


def test_vectors_must_have_their_heads_shapes() -> None:
    with pytest.raises(InputError, match="layer 2"):
        HeadVectors(RAGGED, (torch.zeros(2, 3), torch.zeros(5, 4), torch.zeros(1, 2)))


def test_vectors_need_a_tensor_a_layer() -> None:
    with pytest.raises(InputError):
        HeadVectors(RAGGED, (torch.zeros(2, 3),))


def test_each_head_is_found_in_a_ragged_layout() -> None:
    found = activations(RAGGED, 4)
    assert torch.equal(found.layer(2), found.values[1])
    assert torch.equal(found.head(HeadIndex(2, 3)), found.values[1][:, 3])
    assert torch.equal(found.head(HeadIndex(7, 0)), found.values[2][:, 0])
    heads = HeadSet.of([(7, 0), (0, 1)])
    shapes = [tuple(value.shape) for value in found.heads(heads)]
    assert shapes == [(4, 2), (4, 3)]


@pytest.mark.parametrize("head", [(1, 0), (2, 4), (2, -1)])
def test_activations_of_an_unknown_head_are_an_error(head: tuple[int, int]) -> None:
    found = activations(RAGGED, 2)
    with pytest.raises(InputError):
        found.head(HeadIndex(*head))
    with pytest.raises(InputError):
        found.mean().vector(HeadIndex(*head))


def test_rows_come_in_the_order_asked_for() -> None:
    found = activations(RAGGED, 4)
    picked = found.rows([3, 0, 3])
    assert len(picked) == 3
    for ours, theirs in zip(picked.values, found.values, strict=True):
        assert torch.equal(ours, torch.stack([theirs[3], theirs[0], theirs[3]]))
    assert len(found.rows([])) == 0


def test_the_mean_is_taken_over_conversations() -> None:
    found = activations(RAGGED, 5)
    mean = found.mean()
    for index in RAGGED:
        expected = sum(found.head(index)[row] for row in range(5)) / 5
        assert torch.allclose(mean.vector(index), expected, atol=1e-6)


def test_the_mean_of_nothing_is_an_error() -> None:
    with pytest.raises(InputError, match="at least one"):
        activations(RAGGED, 0).mean()


def test_vectors_subtract_head_by_head() -> None:
    first, second = (activations(RAGGED, 2, seed).mean() for seed in (0, 1))
    for index in RAGGED:
        expected = first.vector(index) - second.vector(index)
        assert torch.equal(first.minus(second).vector(index), expected)
    with pytest.raises(InputError, match="same head layout"):
        first.minus(activations(UNIFORM, 2).mean())


def test_uniform_layers_stack_and_ragged_ones_say_that_they_do_not() -> None:
    found = activations(UNIFORM, 4)
    stacked = found.stack()
    assert tuple(stacked.shape) == (4, 2, 2, 3)
    assert torch.equal(stacked[:, 1, 0], found.head(HeadIndex(1, 0)))
    with pytest.raises(InputError, match="do not stack"):
        activations(RAGGED, 4).stack()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_bad_activation_is_named(bad: float) -> None:
    found = activations(RAGGED, 4)
    found.check_finite()
    found.values[1][2, 3, 0] = bad
    with pytest.raises(ActivationError, match="example 2 at layer 2, head 3"):
        found.check_finite("example")


# --- Steering --------------------------------------------------------------------------------

HEADS = HeadSet.of([(2, 3), (0, 1), (2, 0)])


def vectors() -> tuple[Tensor, ...]:
    return (torch.full((5,), 23.0), torch.full((3,), 1.0), torch.full((5,), 20.0))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"operation": "multiply"}, "operation"),
        ({"positions": "everywhere"}, "positions"),
        ({"operation": "replace", "scale": 2.0}, "scale"),
    ],
)
def test_steering_refuses_what_it_does_not_know(how: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Steering(HEADS, vectors(), **how)  # type: ignore[arg-type]


def test_steering_needs_a_vector_a_head() -> None:
    with pytest.raises(InputError, match="3 heads and 2 vectors"):
        Steering(HEADS, vectors()[:2])


def test_adding_takes_a_scale() -> None:
    assert Steering(HEADS, vectors(), operation="add", scale=-2.0).scale == -2.0


def test_steering_by_layer_keeps_each_vector_with_its_head() -> None:
    grouped = Steering(HEADS, vectors()).by_layer()
    assert list(grouped) == [0, 2]
    numbers, rows = grouped[2]
    assert numbers.dtype == torch.int64
    assert {int(n): float(row[0]) for n, row in zip(numbers, rows, strict=True)} == {
        3: 23.0,
        0: 20.0,
    }
    assert tuple(grouped[0][1].shape) == (1, 3)


def test_steering_from_vectors_takes_each_heads_own() -> None:
    mean = activations(RAGGED, 3).mean()
    steering = Steering.from_vectors(HEADS, mean, operation="add", scale=0.5)
    expected = [mean.vector(index).clone() for index in HEADS]
    for value in mean.values:
        value.zero_()
    assert all(map(torch.equal, steering.vectors, expected))
    assert (steering.operation, steering.scale) == ("add", 0.5)
