"""Arithmetic of task vectors keeps the laws one would expect, and refuses what means nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Example
from headwise.heads import HeadIndex, HeadSet, HeadVectors, Steering
from headwise.methods.task_vector import TaskVector
from headwise.prompts.in_context import InContextPrompt

FIRST = {(0, 1): 0.9, (1, 4): 0.5, (2, 0): 0.2}
SECOND = {(2, 5): 0.8, (1, 4): 0.7}
INPUTS = ["the cat", "a mat"]
CANDIDATES = ["dog", "No"]
WEIGHTS = [0.0, 0.1, 0.5, 0.75, 1.0]


def drawn_vectors(engine: Engine, seed: int) -> HeadVectors:
    generator = torch.Generator().manual_seed(seed)
    return HeadVectors(
        engine.layout,
        tuple(
            torch.randn(e.n_heads, e.head_dim, generator=generator) for e in engine.layout.layers
        ),
    )


def made(engine: Engine, scores: dict[tuple[int, int], float], seed: int) -> TaskVector:
    """A task vector that replaces some heads."""
    heads = HeadSet(tuple(HeadIndex(*head) for head in scores), tuple(scores.values()))
    return TaskVector(
        engine=engine,
        prompt=InContextPrompt(),
        max_text_tokens=64 + seed,
        steering=Steering.from_vectors(heads, drawn_vectors(engine, seed)),
        zero_shot=drawn_vectors(engine, seed + 100),
        parameters={"seed": seed},
        statistics={"held_out_loss": 1.0},
        fingerprint=engine.fingerprint,
        layout=engine.layout,
    )


@pytest.fixture(scope="module")
def a(tiny_engine: Engine) -> TaskVector:
    return made(tiny_engine, FIRST, 1)


@pytest.fixture(scope="module")
def same_heads(tiny_engine: Engine) -> TaskVector:
    """Another task on the heads of `a`, in another order."""
    return made(tiny_engine, {(2, 0): 0.6, (0, 1): 0.4, (1, 4): 0.3}, 2)


@pytest.fixture(scope="module")
def b(tiny_engine: Engine) -> TaskVector:
    return made(tiny_engine, SECOND, 3)


def vectors_of(task: TaskVector) -> dict[HeadIndex, torch.Tensor]:
    return dict(zip(task.heads, task.steering.vectors, strict=True))


def assert_same(left: TaskVector, right: TaskVector, *, exactly: bool = True) -> None:
    """The same heads in the same order, steered alike by the same vectors."""
    assert left.heads.indices == right.heads.indices
    assert left.heads.scores == pytest.approx(right.heads.scores)
    assert left.max_text_tokens == right.max_text_tokens
    assert (left.zero_shot is None) == (right.zero_shot is None)
    for name in ("operation", "positions", "scale"):
        assert getattr(left.steering, name) == getattr(right.steering, name)
    for mine, theirs in zip(left.steering.vectors, right.steering.vectors, strict=True):
        torch.testing.assert_close(mine, theirs, **({"rtol": 0, "atol": 0} if exactly else {}))


def test_scaling_multiplies_every_vector(a: TaskVector) -> None:
    assert_same(a.scaled(1), a)
    assert_same(a.scaled(0.5).scaled(-4), a.scaled(-2))
    for mine, theirs in zip(a.scaled(3).steering.vectors, a.steering.vectors, strict=True):
        assert torch.equal(mine, 3 * theirs)


def test_a_replacement_scaled_to_nothing_silences_and_an_offset_leaves_alone(
    a: TaskVector,
) -> None:
    queries = [a.prompt.query(Example(text)) for text in INPUTS]
    targets = [a.prompt.target(candidate) for candidate in CANDIDATES]
    plain = a.engine.token_logprobs(queries, targets).numpy()
    faded = a.as_offset().scaled(0).candidate_logprobs(INPUTS, CANDIDATES)
    silenced = a.scaled(0).candidate_logprobs(INPUTS, CANDIDATES)
    np.testing.assert_allclose(faded, plain, atol=1e-4)
    assert not np.allclose(silenced, plain, atol=0.01)


@pytest.mark.parametrize("offsets", [False, True], ids=["replacements", "offsets"])
@pytest.mark.parametrize("weight", WEIGHTS)
def test_interpolation_is_a_line_from_one_to_the_other(
    a: TaskVector, same_heads: TaskVector, weight: float, offsets: bool
) -> None:
    same_heads = replace(same_heads, max_text_tokens=a.max_text_tokens)
    one, other = (a.as_offset(), same_heads.as_offset()) if offsets else (a, same_heads)
    assert_same(one.interpolated(other, 0), one)
    assert_same(one.interpolated(other, 1), other)
    assert_same(one.interpolated(one, weight), one)
    between = one.interpolated(other, weight)
    assert_same(between, other.interpolated(one, 1 - weight), exactly=False)
    mine, theirs = vectors_of(one), vectors_of(other)
    for head, vector in vectors_of(between).items():
        expected = (1 - weight) * mine[head] + weight * theirs[head]
        torch.testing.assert_close(vector, expected)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_offsets_of_different_heads_interpolate_as_they_add(
    a: TaskVector, b: TaskVector, weight: float
) -> None:
    one, other = a.as_offset(), b.as_offset()
    between = vectors_of(one.interpolated(other, weight))
    added = vectors_of(one.scaled(1 - weight).plus(other.scaled(weight)))
    for head, vector in added.items():
        torch.testing.assert_close(between.get(head, torch.zeros_like(vector)), vector)
    assert set(vectors_of(one.interpolated(other, 0))) == set(one.heads)
    assert set(vectors_of(one.interpolated(other, 1))) == set(other.heads)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_to_mix_and_then_to_offset_is_to_offset_and_then_to_mix(
    a: TaskVector, same_heads: TaskVector, weight: float
) -> None:
    first = a.interpolated(same_heads, weight).as_offset()
    second = a.as_offset().interpolated(same_heads.as_offset(), weight)
    assert_same(first, second, exactly=False)


def test_an_offset_added_to_what_a_head_says_on_average_is_the_replacement(a: TaskVector) -> None:
    assert a.zero_shot is not None
    offset = a.as_offset()
    assert offset.steering.operation == "add"
    for head, vector in vectors_of(offset).items():
        torch.testing.assert_close(vector + a.zero_shot.vector(head), vectors_of(a)[head])


def test_sums_are_of_the_heads_of_either_and_commute(a: TaskVector, b: TaskVector) -> None:
    one, other = a.as_offset(), b.as_offset()
    total = one.plus(other)
    assert_same(total, other.plus(one))
    assert set(total.heads) == set(one.heads) | set(other.heads)
    assert list(total.heads.scores) == sorted(total.heads.scores, reverse=True)
    mine, theirs = vectors_of(one), vectors_of(other)
    for head, vector in vectors_of(total).items():
        nothing = torch.zeros_like(vector)
        assert torch.equal(vector, mine.get(head, nothing) + theirs.get(head, nothing))


def test_sums_associate_and_scaling_distributes(
    a: TaskVector, b: TaskVector, same_heads: TaskVector
) -> None:
    x, y, z = a.as_offset(), b.as_offset(), same_heads.as_offset()
    assert_same(x.plus(y).plus(z), x.plus(y.plus(z)), exactly=False)
    assert_same(x.plus(y).scaled(0.3), x.scaled(0.3).plus(y.scaled(0.3)), exactly=False)
    assert_same(x.plus(x), x.scaled(2))


def test_the_scale_of_a_steering_counts(a: TaskVector, b: TaskVector) -> None:
    one, other = a.as_offset(), b.as_offset()
    doubled = replace(one, steering=replace(one.steering, scale=2.0))
    assert_same(doubled.plus(other), one.scaled(2).plus(other))
    assert_same(doubled.scaled(0.5), one)


def test_what_is_made_says_of_what_and_claims_no_measurement(a: TaskVector, b: TaskVector) -> None:
    total = a.as_offset().plus(b.as_offset().scaled(0.5))
    assert total.statistics == {}
    assert total.parameters["made_by"] == "plus"
    origins = total.parameters["of"]
    assert isinstance(origins, list)
    assert [origin["made_by"] for origin in origins] == ["as_offset", "scaled"]
    assert total.to_record().parameters["settings"] == total.parameters


REFUSED: dict[str, tuple[str, Callable[[TaskVector, TaskVector], object]]] = {
    "sum of replacements": ("as_offset", lambda a, b: a.plus(b)),
    "sum of both kinds": ("operation", lambda a, b: a.plus(b.as_offset())),
    "replacements of different heads": ("1 of 4 are the same", lambda a, b: a.interpolated(b, 0.5)),
    "both kinds": ("operation", lambda a, b: a.interpolated(b.as_offset(), 0.5)),
    "offset of an offset": ("offset already", lambda a, b: a.as_offset().as_offset()),
    "weight above 1": ("from 0 to 1", lambda a, b: a.interpolated(a, 1.5)),
    "weight below 0": ("from 0 to 1", lambda a, b: a.interpolated(a, -0.5)),
    "no weight": ("from 0 to 1", lambda a, b: a.interpolated(a, float("nan"))),
    "no factor": ("finite", lambda a, b: a.scaled(float("inf"))),
    "different models": (
        "weights_hash",
        lambda a, b: a.interpolated(
            replace(a, fingerprint=replace(a.fingerprint, weights_hash="x")), 0.5
        ),
    ),
    "different prompts": (
        "same style",
        lambda a, b: a.interpolated(replace(a, prompt=InContextPrompt("chat")), 0.5),
    ),
    "different positions": (
        "positions",
        lambda a, b: a.interpolated(
            replace(a, steering=replace(a.steering, positions="generated")), 0.5
        ),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_means_nothing_is_refused(a: TaskVector, b: TaskVector, case: str) -> None:
    words, attempt = REFUSED[case]
    with pytest.raises(InputError, match=words):
        attempt(a, b)
