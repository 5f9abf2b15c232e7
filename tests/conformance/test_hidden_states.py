"""`hidden_states` and `differentiable_logprobs`: what the model itself gives, in any batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from headwise.engines.open_model import DifferentiableEngine, HiddenStateEngine
from headwise.prompts.conversation import Conversation

from .seeing import Seeing
from .subject import CANDIDATES, CONVERSATIONS, Subject, assert_close


@torch.no_grad()
def plain_states(subject: Subject) -> torch.Tensor:
    """The model's own `hidden_states[-1]`."""
    rows = []
    for conversation in CONVERSATIONS:
        ids = torch.tensor([subject.reference.prompt(conversation)])
        found = subject.model(ids, output_hidden_states=True, use_cache=False)
        rows.append(found.hidden_states[-1][0, -1])
    return torch.stack(rows)


def states_alone(engine: HiddenStateEngine, everyone: tuple[Conversation, ...]) -> torch.Tensor:
    return torch.cat([engine.hidden_states([one]) for one in everyone])


@torch.no_grad()
def test_the_state_is_the_models_own_after_the_final_norm(subject: Subject) -> None:
    engine = subject.engine
    assert isinstance(engine, HiddenStateEngine)
    found, expected = states_alone(engine, CONVERSATIONS), plain_states(subject)
    assert_close(found, expected, 1e-5 * float(expected.abs().max()))
    embedding = subject.model.get_output_embeddings()
    seen: list[torch.Tensor] = []
    with embedding.register_forward_pre_hook(lambda module, args: seen.append(args[0][0, -1])):
        subject.model(torch.tensor([subject.reference.prompt(CONVERSATIONS[0])]))
    assert_close(found[0], seen[0], 1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("token_budget", [4096, 90, 1])
def test_a_batch_equals_its_single_runs(subject: Subject, token_budget: int) -> None:
    engine = subject.with_budget(token_budget).engine
    assert isinstance(engine, HiddenStateEngine)
    found = engine.hidden_states(CONVERSATIONS[::-1])
    assert (found.dtype, found.device.type, found.requires_grad) == (torch.float32, "cpu", False)
    expected = states_alone(engine, CONVERSATIONS[::-1])
    assert_close(found, expected, 1e-4 * float(expected.abs().max()))
    assert engine.hidden_states([]).shape == (0, found.shape[1])


def test_images_are_seen(seeing: Seeing) -> None:
    found = seeing.engine.hidden_states(seeing.conversations)
    with torch.no_grad():
        expected = torch.stack(
            [
                seeing.plain.model(
                    **seeing.inputs(one), output_hidden_states=True, use_cache=False
                ).hidden_states[-1][0, -1]
                for one in seeing.conversations
            ]
        )
    assert_close(found, expected, 1e-4 * float(expected.abs().max()))


def test_differentiable_logprobs_are_those_of_token_logprobs(subject: Subject) -> None:
    engine = subject.engine
    assert isinstance(engine, DifferentiableEngine)
    expected = engine.token_logprobs(CONVERSATIONS, CANDIDATES)
    several = [CANDIDATES[: 1 + number % 3] for number in range(len(CONVERSATIONS))]
    with torch.enable_grad():
        found = engine.differentiable_logprobs(CONVERSATIONS, several)
    for row, values in enumerate(found):
        assert values.requires_grad
        assert_close(values.detach(), expected[row, : len(values)], 1e-3)


@pytest.mark.parametrize("token_budget", [4096, 90])
def test_gradients_are_those_of_whole_sequences(subject: Subject, token_budget: int) -> None:
    engine: Any = subject.with_budget(token_budget).engine
    weights = [entry.projection.weight for entry in engine._frozen.located[:2]]
    weight = next(one for one in weights if one.is_floating_point())
    found = []
    for shares in (True, False):
        engine._frozen = replace(
            engine._frozen, shares_prefixes=shares and engine._frozen.shares_prefixes
        )
        weight.requires_grad_(True)
        try:
            with torch.enable_grad():
                rows = engine.differentiable_logprobs(CONVERSATIONS, [CANDIDATES] * 5)
                torch.stack(rows).sum().backward()
            found.append(weight.grad)
        finally:
            weight.requires_grad_(False)
            weight.grad = None
    ours, whole = found
    assert float(whole.abs().max()) > 0
    assert_close(ours, whole, 1e-4 * float(whole.abs().max()))


def test_differentiable_logprobs_see_images(seeing: Seeing) -> None:
    expected = seeing.engine.token_logprobs(seeing.conversations, CANDIDATES)
    with torch.no_grad():
        found = seeing.engine.differentiable_logprobs(
            seeing.conversations, [CANDIDATES] * len(seeing.conversations)
        )
    assert_close(torch.stack(found), expected, 1e-3)
