"""Searches by gradients find the planted heads, the same ones every time, and ask for little."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planted_engine import LAYOUT, PLANTED, GradientPlantedEngine, task

from headwise.engines.base import Engine, GradientEngine
from headwise.errors import InputError
from headwise.heads import HeadIndex
from headwise.selection.attribution import Attribution
from headwise.selection.descent import MaskDescent
from headwise.selection.ranking import best_of_ranking, growing_sizes
from headwise.selection.reinforce import Reinforce
from headwise.selection.search import HeadSearch
from headwise.selection.warm_start import AttributionThenReinforce

SEARCHES = (Attribution(), MaskDescent(), AttributionThenReinforce())
each_search = pytest.mark.parametrize("search", SEARCHES, ids=lambda s: type(s).__name__)


class NoGradients:
    """An engine that cannot differentiate."""

    def __init__(self) -> None:
        engine = GradientPlantedEngine()
        self.fingerprint, self.layout = None, LAYOUT
        self.mask_losses, self.capture = engine.mask_losses, engine.capture
        self.token_logprobs = self.generate = self.truncate = engine.capture


@each_search
def test_the_protocols_are_kept(search: HeadSearch) -> None:
    assert isinstance(search, HeadSearch)
    assert isinstance(GradientPlantedEngine(), GradientEngine)


@each_search
def test_the_planted_heads_are_found(search: HeadSearch) -> None:
    result = search.search(GradientPlantedEngine(), task(4), task(2))
    assert set(result.heads) == PLANTED
    assert list(result.heads.scores) == sorted(result.heads.scores, reverse=True)
    assert result.held_out_loss == pytest.approx(result.plain_loss - 0.9, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_descent_finds_heads_that_do_good_only_together(seed: int) -> None:
    engine = GradientPlantedEngine(needs_company=True)
    result = MaskDescent(seed=seed).search(engine, task(4), task(2))
    assert set(result.heads) == PLANTED
    # Attribution sees each head alone.
    alone = Attribution(sizes=(12,)).search(engine, task(4), task(2))
    assert max(alone.heads.scores) < 0


@each_search
def test_the_same_call_finds_the_same_heads_whatever_the_global_seed(search: HeadSearch) -> None:
    results = []
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        results.append(search.search(GradientPlantedEngine(), task(5), task(2)))
        assert torch.equal(torch.get_rng_state(), state)
    assert results[0] == results[1]


@each_search
def test_learning_never_sees_the_held_out_prompts(search: HeadSearch) -> None:
    engine, everything = GradientPlantedEngine(), task(4)
    training, held_out = everything.rows([0, 1, 2]), everything.rows([3])
    search.search(engine, training, held_out)
    for call in engine.differentiated:
        assert set(call.conversations) <= set(training.conversations)
    assert engine.masked[-1].conversations == held_out.conversations


@each_search
def test_the_loss_is_the_one_the_task_states(search: HeadSearch) -> None:
    engine, stated = GradientPlantedEngine(), task(2, target_tokens=None, among=("Yes", "No"))
    search.search(engine, stated, stated)
    calls = [*engine.differentiated, *engine.masked]
    assert {(call.target_tokens, call.among) for call in calls} == {(None, ("Yes", "No"))}


@each_search
def test_an_engine_without_gradients_is_an_error_that_says_what_to_do(search: HeadSearch) -> None:
    assert isinstance(NoGradients(), Engine)
    with pytest.raises(InputError, match="Reinforce"):
        search.search(NoGradients(), task(2), task(1))


def test_attribution_costs_one_pass_a_prompt() -> None:
    engine = GradientPlantedEngine()
    Attribution().search(engine, task(7), task(3))
    [call] = engine.differentiated
    assert call.conversations == task(7).conversations
    assert not bool(call.at.any())
    assert len(engine.masked) == 1


@pytest.mark.parametrize("sizes", [(1,), (2, 5), (12,), (5, 99)])
def test_only_the_sizes_asked_for_are_tried(sizes: tuple[int, ...]) -> None:
    for search in (Attribution(sizes=sizes), MaskDescent(epochs=2, sizes=sizes)):
        engine = GradientPlantedEngine()
        result = search.search(engine, task(3), task(2))
        tried = engine.masked[-1].at.sum(dim=1).tolist()
        assert tried == [0, *(min(size, 12) for size in sizes)]
        assert len(result.heads) in tried[1:]


def test_descent_draws_a_mask_a_prompt_at_the_stated_odds() -> None:
    engine = GradientPlantedEngine()
    search = MaskDescent(epochs=50, examples_per_epoch=20, learning_rate=1e-9, initial_logit=-1.0)
    search.search(engine, task(3), task(1))
    at = torch.cat([call.at for call in engine.differentiated])
    assert tuple(at.shape) == (1000, 12)
    assert set(at.flatten().tolist()) == {0.0, 1.0}
    assert float(at.mean()) == pytest.approx(0.2689, abs=0.015)
    assert len({tuple(row) for row in at[:20].tolist()}) > 10


def test_prompts_of_a_group_are_always_tried_together() -> None:
    engine = GradientPlantedEngine()
    training = replace(task(6), groups=(4, 7, 4, 9, 7, 9))
    MaskDescent(epochs=5, examples_per_epoch=2).search(engine, training, task(1))
    for call in engine.differentiated:
        rows = [training.conversations.index(c) for c in call.conversations]
        assert {tuple(rows[:2]), tuple(rows[2:])} <= {(0, 2), (1, 4), (3, 5)}


@pytest.mark.parametrize("seed", range(3))
def test_a_warm_start_needs_fewer_epochs(seed: int) -> None:
    few = Reinforce(epochs=12, seed=seed)
    warm = AttributionThenReinforce(few).search(GradientPlantedEngine(), task(4), task(2))
    cold = few.search(GradientPlantedEngine(), task(4), task(2))
    assert warm.held_out_loss <= cold.held_out_loss
    assert sum(warm.epoch_losses) < sum(cold.epoch_losses) - 1
    assert warm.epoch_losses[0] < cold.epoch_losses[0]
    assert len(warm.epoch_losses) == 12


def test_descent_that_gets_no_better_ends_after_its_patience() -> None:
    engine = GradientPlantedEngine()
    still = MaskDescent(epochs=100, learning_rate=1e-9, patience=12, check_every=4)
    result = still.search(engine, task(3), task(2))
    # The first look is the best for ever.
    assert len(result.epoch_losses) == 4 + 12
    looks = [call for call in engine.masked if len(call.at) == 1]
    assert len(looks) == 4
    assert all(call.conversations == task(2).conversations for call in looks)


def test_descent_that_never_looked_keeps_what_it_learnt() -> None:
    eager = MaskDescent(patience=50, check_every=1_000)
    assert set(eager.search(GradientPlantedEngine(), task(4), task(2)).heads) == PLANTED


def test_descent_tells_the_loss_of_its_masks() -> None:
    engine = GradientPlantedEngine()
    result = MaskDescent(epochs=30).search(engine, task(4), task(2))
    expected = [float(engine.loss(c.at, c.conversations).mean()) for c in engine.differentiated]
    assert result.epoch_losses == pytest.approx(expected)
    assert result.epoch_losses[-1] < result.epoch_losses[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"examples_per_epoch": 0},
        {"learning_rate": 0.0},
        {"sizes": ()},
        {"patience": 0},
        {"check_every": 0},
    ],
    ids=str,
)
def test_settings_of_descent_out_of_range_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        MaskDescent(**wrong)


def test_other_settings_out_of_range_are_an_error() -> None:
    with pytest.raises(InputError, match="sizes"):
        Attribution(sizes=(3, 0))
    with pytest.raises(InputError, match="spread"):
        AttributionThenReinforce(spread=-1.0)


@given(most=st.integers(1, 5000))
def test_sizes_grow_from_one_to_the_most(most: int) -> None:
    sizes = growing_sizes(most)
    assert (sizes[0], sizes[-1]) == (1, most)
    assert list(sizes) == sorted(set(sizes))
    assert len(sizes) <= 40


def test_of_equal_scores_the_shallower_heads_are_tried_first() -> None:
    result = best_of_ranking(GradientPlantedEngine(), task(2), torch.zeros(12), [3])
    assert set(result.heads) == {HeadIndex(0, 0), HeadIndex(0, 1), HeadIndex(0, 2)}
