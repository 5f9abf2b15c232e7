"""Input an engine cannot serve is refused with the reason; empty input is served."""

from __future__ import annotations

import pytest
import torch

from headwise.engines.base import Sampling
from headwise.errors import ActivationError, InputError
from headwise.heads import HeadLayout, HeadSet, HeadVectors, LayerHeads, Steering
from headwise.prompts.conversation import Conversation

from .subject import CANDIDATES, CONVERSATIONS, TARGETS, Subject

NOWHERE = ((99, 0), (0, 99), (0, -1))


def test_no_conversations_give_no_results(llama: Subject) -> None:
    engine, masks = llama.engine, llama.masks(2)
    vectors = llama.vectors_of(CONVERSATIONS[0])
    assert len(engine.capture([])) == 0
    assert engine.capture([]).layout == engine.layout
    assert engine.token_logprobs([], CANDIDATES).shape == (0, len(CANDIDATES))
    assert engine.mask_losses([], [], vectors, masks).shape == (2, 0)
    assert engine.generate([]) == []


def test_no_masks_give_no_losses(llama: Subject) -> None:
    vectors, none = llama.vectors_of(CONVERSATIONS[0]), llama.masks(2)[:0]
    losses = llama.engine.mask_losses(CONVERSATIONS, TARGETS, vectors, none)
    assert losses.shape == (0, len(CONVERSATIONS))


@pytest.mark.parametrize("head", NOWHERE, ids=str)
def test_a_head_that_does_not_exist_is_refused(llama: Subject, head: tuple[int, int]) -> None:
    heads = HeadSet.of([head])
    steering = Steering(heads, (torch.zeros(8),))
    with pytest.raises(InputError):
        llama.engine.capture(CONVERSATIONS, heads)
    with pytest.raises(InputError):
        llama.engine.token_logprobs(CONVERSATIONS, CANDIDATES, steering)
    with pytest.raises(InputError):
        llama.engine.generate(CONVERSATIONS, Sampling(2), steering)


@pytest.mark.parametrize("width", [1, 7, 16])
def test_a_vector_of_another_width_is_refused(llama: Subject, width: int) -> None:
    steering = Steering(HeadSet.of([(0, 0)]), (torch.zeros(width),))
    with pytest.raises(InputError):
        llama.engine.token_logprobs(CONVERSATIONS, CANDIDATES, steering)
    with pytest.raises(InputError):
        llama.engine.generate(CONVERSATIONS, Sampling(2), steering)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_vectors_that_are_not_finite_are_refused(llama: Subject, value: float) -> None:
    broken = torch.zeros(8).index_fill(0, torch.tensor([3]), value)
    steering = Steering(HeadSet.of([(0, 0), (1, 1)]), (torch.zeros(8), broken))
    with pytest.raises(InputError, match="L1H1"):
        llama.engine.token_logprobs(CONVERSATIONS, CANDIDATES, steering)
    with pytest.raises(InputError, match="L1H1"):
        llama.engine.generate(CONVERSATIONS, Sampling(2), steering)
    vectors = llama.vectors_of(CONVERSATIONS[0])
    values = (*vectors.values[:2], vectors.values[2] * value)
    with pytest.raises(InputError, match="layer 2"):
        llama.engine.mask_losses(
            CONVERSATIONS, TARGETS, HeadVectors(vectors.layout, values), llama.masks(2)
        )


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(max_new_tokens=0),
        Sampling(temperature=-1.0),
        Sampling(temperature=float("nan")),
        Sampling(temperature=1.0, top_p=0.0),
        Sampling(temperature=1.0, top_p=1.5),
        Sampling(stop=("x", "")),
    ],
    ids=str,
)
def test_a_sampling_without_meaning_is_refused(llama: Subject, sampling: Sampling) -> None:
    with pytest.raises(InputError):
        llama.engine.generate(CONVERSATIONS, sampling)


@pytest.mark.parametrize("among", [("Yes",), ("Yes", "Yes"), ("Yes", "Yes and no")], ids=str)
def test_a_target_without_a_rival_is_refused(llama: Subject, among: tuple[str, ...]) -> None:
    vectors = llama.vectors_of(CONVERSATIONS[0])
    with pytest.raises(InputError, match="competes"):
        llama.engine.mask_losses(CONVERSATIONS[:1], ("Yes",), vectors, llama.masks(2), among=among)


def test_capturing_an_empty_set_of_heads_is_refused(llama: Subject) -> None:
    with pytest.raises(InputError, match="empty"):
        llama.engine.capture(CONVERSATIONS, HeadSet.of([]))


@pytest.mark.parametrize("text", ["", "Hi"])
def test_no_candidate_or_an_empty_one_is_refused(llama: Subject, text: str) -> None:
    with pytest.raises(InputError):
        llama.engine.token_logprobs(CONVERSATIONS, [text, ""] if text else [])


def test_a_conversation_without_tokens_is_refused(llama: Subject) -> None:
    with pytest.raises(InputError):
        llama.engine.capture([Conversation.completion("")])


def test_masks_vectors_and_targets_must_fit(llama: Subject) -> None:
    vectors, masks = llama.vectors_of(CONVERSATIONS[0]), llama.masks(2)
    small = HeadVectors(HeadLayout((LayerHeads(0, 6, 8),)), (torch.zeros(6, 8),))
    for arguments in (
        (CONVERSATIONS, TARGETS[:2], vectors, masks),
        (CONVERSATIONS, TARGETS, small, masks[:, :6]),
        (CONVERSATIONS, TARGETS, vectors, masks[:, :6]),
        (CONVERSATIONS, TARGETS, vectors, masks.float()),
        (CONVERSATIONS, TARGETS, vectors, masks[0]),
        (CONVERSATIONS, ("", *TARGETS[1:]), vectors, masks),
    ):
        with pytest.raises(InputError):
            llama.engine.mask_losses(*arguments)
    with pytest.raises(InputError):
        llama.engine.mask_losses(CONVERSATIONS, TARGETS, vectors, masks, target_tokens=0)


def test_a_model_that_gives_nan_is_reported(llama: Subject) -> None:
    weight = llama.family.projection_module(llama.model, 0).weight
    kept = weight.detach().clone()
    with torch.no_grad():
        weight[0, 0] = float("nan")
    try:
        with pytest.raises(ActivationError, match="layer 1"):
            llama.engine.capture(CONVERSATIONS)
    finally:
        with torch.no_grad():
            weight.copy_(kept)
