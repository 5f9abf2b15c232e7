"""Pairs from ranked samples, and the best of n."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from headwise.errors import HeadwiseError, InputError
from headwise.examples import Preference
from headwise.methods.best_of_n import best_of_n
from headwise.methods.labelling import label_preferences, pair_rows


class ByLength:
    """A rewarder that likes long responses."""

    def score(self, prompts, responses, images=None, *, progress=False):
        return np.array([float(len(one)) for one in responses])

    def margins(self, preferences: Sequence[Preference], *, progress: bool = False):
        return np.array([float(len(p.chosen) - len(p.rejected)) for p in preferences])


def test_the_best_and_the_worst_of_a_prompt_make_a_pair():
    found = label_preferences(ByLength(), ["p", "q", "p", "p"], ["aa", "b", "aaaa", "a"])
    [pair] = found
    assert (pair.preference.prompt, pair.preference.chosen, pair.preference.rejected) == (
        "p",
        "aaaa",
        "a",
    )
    assert pair.margin == 3.0


def test_small_margins_and_ties_are_left_out():
    rewards = np.array([1.0, 1.0, 0.0, 0.5, 3.0, 1.0])
    prompts = ["a", "a", "b", "b", "c", "c"]
    assert [pair.chosen for pair in pair_rows(prompts, rewards)] == [3, 4]
    assert [pair.chosen for pair in pair_rows(prompts, rewards, 0.6)] == [4]


@pytest.mark.parametrize("margin", [-1.0, float("nan")])
def test_a_least_margin_is_a_number_of_zero_or_more(margin):
    with pytest.raises(InputError, match="least margin"):
        pair_rows(["a"], np.array([1.0]), margin)


def test_nan_ranks_nothing():
    with pytest.raises(HeadwiseError, match="row 1"):
        pair_rows(["a", "a"], np.array([1.0, float("nan")]))


def test_best_of_n_asks_for_each_prompt_n_times():
    asked = []

    def sample(prompts):
        asked.extend(prompts)
        return ["x" * (number + 1) for number in range(len(prompts))]

    first, second = best_of_n(ByLength(), ["p", "q"], sample, 3)
    assert asked == ["p"] * 3 + ["q"] * 3
    assert (first.best, first.reward, second.best) == ("xxx", 3.0, "x" * 6)
    assert best_of_n(ByLength(), [], sample, 3) == []


def test_a_generator_that_gives_too_little_is_told():
    with pytest.raises(InputError, match="given 2 prompts and gave 1"):
        best_of_n(ByLength(), ["p"], lambda prompts: ["x"], 2)
    with pytest.raises(InputError, match="1 at least"):
        best_of_n(ByLength(), ["p"], lambda prompts: ["x"], 0)
