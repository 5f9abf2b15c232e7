"""Heads that were found on one task, put to another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headwise.errors import InputError
from headwise.evaluation.lettered import LetteredMethod
from headwise.evaluation.transfer import carried
from headwise.examples import Example, Preference
from headwise.methods.sparse_attention_vectors import SparseAttentionVectors

ANIMALS = tuple(
    Example(f"the {noun} {verb}", noun) for noun in ("cat", "dog") for verb in ("sat", "ran", "ate")
)
COLOURS = tuple(
    Example(f"a {colour} {thing}", colour)
    for colour in ("blue", "green", "red")
    for thing in ("car", "hat", "cup")
)


@pytest.mark.parametrize("whitened", [True, False])
def test_carried_to_their_own_task_heads_decide_as_before(tiny_engine: Any, whitened: bool) -> None:
    fitted = SparseAttentionVectors(n_heads=4, whitened=whitened).fit(tiny_engine, ANIMALS)
    again = carried(fitted, tiny_engine, ANIMALS)
    texts = ["the cat slept", "some dog"]
    np.testing.assert_allclose(
        again.decision_function(texts), fitted.decision_function(texts), atol=1e-5
    )


def test_heads_are_kept_and_classes_are_the_other_tasks(tiny_engine: Any) -> None:
    fitted = SparseAttentionVectors(n_heads=4).fit(tiny_engine, ANIMALS)
    found = carried(fitted, tiny_engine, COLOURS)
    assert found.heads == fitted.heads
    assert found.classes == ("blue", "green", "red")
    assert found.statistics.examples_per_class == {"blue": 3, "green": 3, "red": 3}
    assert found.predict_proba(["a red pen"]).shape == (1, 3)


def test_lettered_classifiers_carry_their_heads_too(tiny_engine: Any) -> None:
    def choice(text: str, letter: str) -> Example:
        return Example(text, letter, {"A": "yes indeed", "B": "not at all"})

    support = tuple(choice(f"is it {n}?", "AB"[n % 2]) for n in range(4))
    fitted = LetteredMethod(SparseAttentionVectors(n_heads=2)).fit(tiny_engine, support)
    found = carried(fitted, tiny_engine, support)
    np.testing.assert_allclose(
        found.predict_proba(support), fitted.predict_proba(support), atol=1e-5
    )


def test_what_has_no_heads_is_put_to_the_other_task_as_it_is(tiny_engine: Any) -> None:
    rewarder = object()
    assert carried(rewarder, tiny_engine, ()) is rewarder
    fitted = SparseAttentionVectors(n_heads=2).fit(tiny_engine, ANIMALS)
    with pytest.raises(InputError, match="support of labelled examples"):
        carried(fitted, tiny_engine, (Preference("q", "a", "b"),))
