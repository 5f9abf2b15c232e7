"""Losses, log-probabilities and effects equal plain passes over a user's own inputs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from headwise.heads import HeadVectors, Steering
from headwise.prompts.conversation import Conversation

from .reference import mask_edits, steering_edits
from .seeing import ASKED, CANDIDATES, RAW, TALK, TWO, Seeing
from .subject import assert_close

TARGETS = (" Yes", "No", " the mat", " cat and dog", "a", " mat")


def expected_logprobs(
    seeing: Seeing, conversations: tuple[Conversation, ...], steering: Steering | None = None
) -> Tensor:
    rows = []
    for conversation in conversations:
        last = seeing.n_tokens(conversation) - 1
        row = []
        for candidate in CANDIDATES:
            target = seeing.target(conversation, candidate)
            long = steering is not None and steering.positions == "generated"
            where = range(last, last + (len(target) if long else 1))
            edits = steering_edits(steering, where) if steering else []
            row.append(seeing.logprobs(conversation, target, edits).sum())
        rows.append(torch.stack(row))
    return torch.stack(rows)


def test_logprobs_equal_a_plain_pass(seeing: Seeing) -> None:
    found = seeing.engine.token_logprobs(seeing.conversations, CANDIDATES)
    assert_close(found, expected_logprobs(seeing, seeing.conversations), 1e-4)


@pytest.mark.parametrize(("operation", "positions"), [("replace", "generated"), ("add", "prompt")])
def test_steered_logprobs_equal_a_plain_pass(
    seeing: Seeing, operation: str, positions: str
) -> None:
    steering = seeing.steering(operation=operation, positions=positions)
    some = (TWO, TALK)
    found = seeing.engine.token_logprobs(some, CANDIDATES, steering)
    assert_close(found, expected_logprobs(seeing, some, steering), 1e-4)


def expected_losses(
    seeing: Seeing,
    conversations: tuple[Conversation, ...],
    vectors: HeadVectors,
    masks: Tensor,
    target_tokens: int | None,
) -> Tensor:
    losses = torch.empty(len(masks), len(conversations), dtype=torch.float64)
    for column, (conversation, target) in enumerate(zip(conversations, TARGETS, strict=False)):
        tokens = seeing.target(conversation, target)[:target_tokens]
        last = seeing.n_tokens(conversation) - 1
        for row, mask in enumerate(masks):
            edits = mask_edits(mask, vectors, range(last, last + len(tokens)))
            losses[row, column] = -seeing.logprobs(conversation, tokens, edits).mean()
    return losses


@pytest.mark.parametrize("target_tokens", [1, None])
def test_losses_equal_plain_patched_passes(seeing: Seeing, target_tokens: int | None) -> None:
    some = (TALK, TWO, RAW)
    vectors, masks = seeing.vectors(), seeing.masks(3)
    found = seeing.engine.mask_losses(
        some, TARGETS[:3], vectors, masks, target_tokens=target_tokens
    )
    assert_close(found, expected_losses(seeing, some, vectors, masks, target_tokens), 2e-5)


# Beyond every prompt, so that masks run as parallel queries over one prefix.
def test_losses_equal_plain_patched_passes_with_a_wide_window() -> None:
    seeing = Seeing.of("gemma3")
    for tiny in (seeing.tiny, seeing.plain):
        tiny.model.config.text_config.sliding_window = 400
        tiny.model.model.language_model.config.sliding_window = 400
    wide = replace(seeing, engine=seeing.with_budget(4096))
    test_losses_equal_plain_patched_passes(wide, None)
    assert set(wide.engine._strategies._chosen.values()) <= {"grouped", "parallel"}


def test_a_batch_of_losses_equals_its_single_runs(seeing: Seeing) -> None:
    everyone, vectors, masks = seeing.conversations, seeing.vectors(), seeing.masks(3)
    targets = TARGETS[: len(everyone)]
    found = seeing.with_budget(100).mask_losses(everyone, targets, vectors, masks)
    single = [
        seeing.engine.mask_losses([one], [target], vectors, masks)
        for one, target in zip(everyone, targets, strict=True)
    ]
    assert_close(found, torch.cat(single, dim=1), 2e-5)


def test_a_prompt_that_ends_in_a_picture_is_patched_in_it(seeing: Seeing) -> None:
    if seeing.tiny.family in ("paligemma", "mllama"):
        pytest.skip("its processor puts text behind every picture, or none of a picture's tokens")
    one = Conversation.completion(("the cat ", *RAW.images))
    vectors, masks = seeing.vectors(), seeing.masks(3)
    found = seeing.engine.mask_losses([one], [" Yes"], vectors, masks)
    tokens = seeing.engine._encoder.encode_target(one, " Yes")[:1]
    for row, mask in enumerate(masks):
        edits = mask_edits(mask, vectors, [seeing.n_tokens(one) - 1])
        assert_close(found[row, 0], -seeing.logprobs(one, tokens, edits)[0], 2e-5)


def test_putting_back_a_prompts_own_heads_changes_nothing(seeing: Seeing) -> None:
    masks = seeing.masks(3)
    for one in (ASKED, TWO, RAW):
        own = seeing.engine.capture([one]).mean()
        losses = seeing.engine.mask_losses([one], [" Yes"], own, masks)[:, 0]
        assert_close(losses, losses[:1].expand(len(masks)), 2e-5)


def test_effects_are_the_slope_of_the_losses(seeing: Seeing) -> None:
    """Along a line of strengths the loss rises as the effects say, between its two ends."""
    engine, one, step = seeing.engine, [TWO], 1e-2
    vectors, target = seeing.vectors(), [" Yes"]
    n_heads = sum(heads.n_heads for heads in seeing.heads)
    at = 0.3 * torch.rand(n_heads, generator=torch.Generator().manual_seed(1))
    way = torch.randn(n_heads, generator=torch.Generator().manual_seed(2))
    slope = float((engine.head_effects(one, target, vectors, at).effects[0] * way).sum())
    ends = [
        float(engine.head_effects(one, target, vectors, at + side * step * way).losses[0])
        for side in (1, -1)
    ]
    assert abs(slope - (ends[0] - ends[1]) / (2 * step)) <= 0.02 * max(1.0, abs(slope))


def test_losses_where_effects_are_taken_are_those_of_masks(seeing: Seeing) -> None:
    some, vectors, masks = (ASKED, TWO, RAW), seeing.vectors(), seeing.masks(3)
    losses = seeing.engine.mask_losses(some, TARGETS[:3], vectors, masks)
    for mask, expected in zip(masks, losses, strict=True):
        found = seeing.engine.head_effects(some, TARGETS[:3], vectors, mask.float())
        assert_close(found.losses, expected, 2e-5)
