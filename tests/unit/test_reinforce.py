"""REINFORCE finds the heads that lower the loss, the same ones every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from headwise.engines.base import Engine
from headwise.errors import HeadwiseError, InputError
from headwise.heads import HeadActivations, HeadIndex, HeadLayout, HeadSet, HeadVectors, LayerHeads
from headwise.prompts.conversation import Conversation
from headwise.selection.reinforce import Reinforce, heads_of_mask
from headwise.selection.search import HeadSearch, SearchTask, hold_out

LAYOUT = HeadLayout((LayerHeads(0, 4, 2), LayerHeads(2, 3, 4), LayerHeads(5, 5, 2)))
PLANTED = {HeadIndex(0, 2), HeadIndex(2, 0), HeadIndex(5, 4)}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `mask_losses`, and what it answered."""

    conversations: tuple[Conversation, ...]
    targets: tuple[str, ...]
    masks: Tensor
    target_tokens: int | None
    among: tuple[str, ...] | None
    losses: Tensor


class PlantedEngine:
    """Steering a planted head lowers the loss, steering any other raises it.

    Args:
        spoilt: Whether every loss is NaN.
    """

    fingerprint: Any = None
    layout = LAYOUT

    def __init__(self, spoilt: bool = False) -> None:
        self.calls: list[Call] = []
        self.spoilt = spoilt

    def mask_losses(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        vectors: HeadVectors,
        masks: Tensor,
        *,
        target_tokens: int | None = 1,
        among: Sequence[str] | None = None,
    ) -> Tensor:
        effect = torch.tensor([-0.3 if index in PLANTED else 0.2 for index in LAYOUT])
        # Prompts differ far more in difficulty than masks do.
        difficulty = torch.tensor([3.0 + 5.0 * len(str(c.text)) for c in conversations])
        losses = (masks.float() @ effect)[:, None] + difficulty
        if self.spoilt:
            losses = losses * float("nan")
        self.calls.append(
            Call(
                tuple(conversations),
                tuple(targets),
                masks.clone(),
                target_tokens,
                None if among is None else tuple(among),
                losses,
            )
        )
        return losses

    def capture(self, *args: object, **options: object) -> Any:
        raise AssertionError("A search on ready vectors captures nothing.")

    token_logprobs = generate = truncate = capture


def task(n: int, **options: Any) -> SearchTask:
    vectors = HeadActivations(
        LAYOUT, tuple(torch.zeros(1, e.n_heads, e.head_dim) for e in LAYOUT.layers)
    ).mean()
    prompts = tuple(Conversation.completion("x" * (number + 1)) for number in range(n))
    return SearchTask(prompts, ("Yes",) * n, vectors, **options)


# --- What it finds ---------------------------------------------------------------------------


def test_the_test_engine_and_reinforce_keep_the_protocols() -> None:
    assert isinstance(PlantedEngine(), Engine)
    assert isinstance(Reinforce(), HeadSearch)


@pytest.mark.parametrize(
    "search",
    [
        Reinforce(epochs=200),
        Reinforce(epochs=200, baseline="leave_one_out"),
        Reinforce(epochs=200, antithetic=True),
        Reinforce(epochs=200, baseline="leave_one_out", antithetic=True, examples_per_epoch=3),
        Reinforce(epochs=200, examples_per_epoch=4),
        Reinforce.paper(),
    ],
    ids=["standardised", "leave one out", "antithetic", "all", "several prompts", "published"],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_planted_heads_are_found(search: Reinforce, seed: int) -> None:
    result = replace(search, seed=seed).search(PlantedEngine(), task(4), task(2))
    assert set(result.heads) == PLANTED
    assert list(result.heads.scores) == sorted(result.heads.scores, reverse=True)
    assert min(result.heads.scores) > 0.5
    assert result.held_out_loss == pytest.approx(result.plain_loss - 0.9, abs=1e-5)


def test_losses_fall_as_it_learns() -> None:
    losses = Reinforce(epochs=200).search(PlantedEngine(), task(1), task(1)).epoch_losses
    assert len(losses) == 200
    assert sum(losses[-20:]) < sum(losses[:20]) - 10


def test_the_same_seed_finds_the_same_heads_whatever_the_global_seed() -> None:
    search = Reinforce(epochs=5, seed=3)
    results = []
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        results.append(search.search(PlantedEngine(), task(3), task(2)))
        assert torch.equal(torch.get_rng_state(), state)
    assert results[0] == results[1]


def test_another_seed_draws_other_masks() -> None:
    first, second = PlantedEngine(), PlantedEngine()
    Reinforce(epochs=1, seed=0).search(first, task(1), task(1))
    Reinforce(epochs=1, seed=1).search(second, task(1), task(1))
    assert not torch.equal(first.calls[0].masks, second.calls[0].masks)


def test_nan_losses_are_an_error() -> None:
    with pytest.raises(HeadwiseError):
        Reinforce(epochs=2).search(PlantedEngine(spoilt=True), task(2), task(1))


# --- What it asks of the engine --------------------------------------------------------------


def test_the_kept_mask_has_the_lowest_held_out_loss_of_those_drawn() -> None:
    engine = PlantedEngine()
    held_out = task(3)
    # Too little learning for all masks to be alike.
    result = Reinforce(epochs=3, final_masks=25).search(engine, task(5), held_out)
    last = engine.calls[-1]
    assert last.conversations == held_out.conversations
    losses = last.losses.mean(dim=1)
    plain = ~last.masks.any(dim=1)
    assert result.plain_loss == pytest.approx(float(losses[plain][0]))
    assert len(losses) == 1 + 25
    assert len(set(losses.tolist())) > 5
    best = 1 + int(losses[1:].argmin())
    assert result.held_out_loss == pytest.approx(float(losses[1:].min()))
    chosen = {index for index, on in zip(LAYOUT, last.masks[best].tolist(), strict=True) if on}
    assert set(result.heads) == chosen


def test_learning_never_sees_the_held_out_prompts() -> None:
    engine = PlantedEngine()
    training, everything = task(4).rows([0, 1, 2]), task(4)
    Reinforce(epochs=7, examples_per_epoch=2).search(engine, training, everything.rows([3]))
    assert len(engine.calls) == 8
    for call in engine.calls[:-1]:
        assert set(call.conversations) <= set(training.conversations)


@pytest.mark.parametrize("examples_per_epoch", [1, 3, 7])
def test_every_training_prompt_is_seen_equally_often(examples_per_epoch: int) -> None:
    engine = PlantedEngine()
    Reinforce(epochs=11, examples_per_epoch=examples_per_epoch).search(engine, task(4), task(1))
    seen = Counter(c for call in engine.calls[:-1] for c in call.conversations)
    assert sum(seen.values()) == 11 * examples_per_epoch
    assert len(seen) == 4
    assert max(seen.values()) - min(seen.values()) <= 1


def test_prompts_of_a_group_are_always_tried_together() -> None:
    engine = PlantedEngine()
    training = replace(task(6), groups=(4, 7, 4, 9, 7, 9))
    Reinforce(epochs=7, examples_per_epoch=2).search(engine, training, task(1))
    seen = Counter(c for call in engine.calls[:-1] for c in call.conversations)
    assert max(seen.values()) - min(seen.values()) <= 1
    for call in engine.calls[:-1]:
        rows = [training.conversations.index(c) for c in call.conversations]
        whole = {(0, 2), (1, 4), (3, 5)}
        assert {tuple(rows[:2]), tuple(rows[2:])} <= whole


def test_the_loss_is_the_one_the_task_states() -> None:
    engine = PlantedEngine()
    stated = task(2, target_tokens=None, among=("Yes", "No"))
    Reinforce(epochs=2).search(engine, stated, stated)
    assert {(call.target_tokens, call.among) for call in engine.calls} == {(None, ("Yes", "No"))}


def test_masks_are_drawn_as_often_as_asked() -> None:
    engine = PlantedEngine()
    Reinforce(epochs=300, masks_per_epoch=8, initial_logit=-1.0, learning_rate=1e-9).search(
        engine, task(1), task(1)
    )
    masks = torch.cat([call.masks for call in engine.calls[:-1]])
    assert tuple(masks.shape) == (300 * 8, 12)
    assert float(masks.double().mean()) == pytest.approx(0.2689, abs=0.01)


def test_antithetic_masks_mirror_each_other() -> None:
    engine = PlantedEngine()
    search = Reinforce(epochs=1, masks_per_epoch=10, initial_logit=0.0, antithetic=True)
    search.search(engine, task(1), task(1))
    masks = engine.calls[0].masks
    # At even odds the mirror of a head that is on is a head that is off.
    assert torch.equal(masks[:5], ~masks[5:])


# --- Settings --------------------------------------------------------------------------------


def test_the_published_settings() -> None:
    paper = Reinforce.paper(seed=4)
    assert (paper.epochs, paper.masks_per_epoch, paper.examples_per_epoch) == (600, 32, 1)
    assert (paper.learning_rate, paper.initial_logit, paper.final_masks) == (0.1, -1.0, 10)
    assert (paper.baseline, paper.antithetic, paper.seed) == ("standardised", False, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"masks_per_epoch": 1},
        {"examples_per_epoch": 0},
        {"final_masks": 0},
        {"antithetic": True, "masks_per_epoch": 7},
        {"baseline": "median"},
        {"learning_rate": 0.0},
        {"learning_rate": -0.1},
    ],
    ids=str,
)
def test_settings_out_of_range_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Reinforce(**wrong)


def test_a_task_needs_prompts_with_a_target_each() -> None:
    with pytest.raises(InputError, match="0 prompts"):
        task(0)
    with pytest.raises(InputError, match="1 prompts and 2 targets"):
        SearchTask((Conversation.completion("x"),), ("a", "b"), task(1).vectors)
    with pytest.raises(InputError, match="one group a prompt"):
        task(3, groups=(0, 1))


def test_rows_of_a_task_keep_prompt_and_target_together() -> None:
    whole = replace(task(3, target_tokens=None, groups=(5, 5, 8)), targets=("a", "b", "c"))
    part = whole.rows([2, 0])
    assert part.targets == ("c", "a")
    assert part.conversations == (whole.conversations[2], whole.conversations[0])
    assert part.target_tokens is None
    assert part.groups == (8, 5)


# --- Parts -----------------------------------------------------------------------------------


def test_heads_of_a_mask_come_best_first_and_equals_shallow_first() -> None:
    layout = HeadLayout((LayerHeads(1, 2, 1), LayerHeads(3, 2, 1)))
    mask = torch.tensor([True, True, False, True])
    found = heads_of_mask(layout, mask, torch.tensor([0.5, 0.25, 0.9, 0.5]))
    assert found == HeadSet((HeadIndex(1, 0), HeadIndex(3, 1), HeadIndex(1, 1)), (0.5, 0.5, 0.25))


@given(n=st.integers(2, 60), share=st.floats(0.0, 1.0), seed=st.integers(0, 99))
def test_hold_out_splits_without_overlap(n: int, share: float, seed: int) -> None:
    training, held = hold_out(n, share, seed)
    assert sorted((*training, *held)) == list(range(n))
    assert training
    assert held
    assert abs(len(held) - share * n) <= 1 or len(held) in (1, n - 1)
    assert (training, held) == hold_out(n, share, seed)


def test_a_single_group_is_both_training_and_held_out() -> None:
    assert hold_out(1, 0.25, 0) == ((0,), (0,))


# --- Early stopping --------------------------------------------------------------------------


def test_the_presets_look_at_held_out_prompts_as_they_say() -> None:
    assert Reinforce.paper().patience is None
    reduced = Reinforce.variance_reduced(seed=2)
    assert (reduced.baseline, reduced.antithetic, reduced.seed) == ("leave_one_out", True, 2)
    assert reduced.patience is not None
    assert set(reduced.search(PlantedEngine(), task(4), task(2)).heads) == PLANTED


@pytest.mark.parametrize("check_every", [1, 4])
def test_a_search_that_gets_no_better_ends_after_its_patience(check_every: int) -> None:
    engine = PlantedEngine()
    still = Reinforce(epochs=100, learning_rate=1e-9, patience=12, check_every=check_every)
    result = still.search(engine, task(3), task(2))
    # The first look is the best for ever.
    assert len(result.epoch_losses) == check_every + 12
    looks = [call for call in engine.calls if len(call.masks) == 1]
    assert len(looks) == len(result.epoch_losses) // check_every
    assert all(call.conversations == task(2).conversations for call in looks)


def test_a_search_that_goes_on_getting_better_is_not_cut_short() -> None:
    result = Reinforce(epochs=60, patience=59, check_every=5).search(
        PlantedEngine(), task(3), task(2)
    )
    assert len(result.epoch_losses) == 60


def test_what_was_best_on_held_out_prompts_is_what_is_kept() -> None:
    engine = PlantedEngine()
    # Steps so long that later looks are worse than earlier ones.
    search = Reinforce(epochs=80, learning_rate=3.0, patience=70, check_every=1, final_masks=1)
    result = search.search(engine, task(3), task(2))
    looks = [float(call.losses.mean()) for call in engine.calls if len(call.masks) == 1]
    assert result.held_out_loss <= min(looks) + 1e-5


@pytest.mark.parametrize("wrong", [{"patience": 0}, {"check_every": 0}], ids=str)
def test_patience_out_of_range_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="patience"):
        Reinforce(**wrong)
