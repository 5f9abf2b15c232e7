"""`token_logprobs` equals the log-softmax of a plain forward pass over prompt and candidate."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from headwise.heads import Steering

from .reference import steering_edits
from .subject import CANDIDATES, CONVERSATIONS, Subject, assert_close


def expected_logprobs(subject: Subject, steering: Steering | None = None) -> Tensor:
    """What plain forward passes give, `(n, c)`."""
    reference = subject.reference
    rows = []
    for conversation in CONVERSATIONS:
        prompt = reference.prompt(conversation)
        row = []
        for candidate in CANDIDATES:
            target = reference.target(conversation, candidate)
            last = len(prompt) - 1
            stop = (
                last + len(target) if steering and steering.positions == "generated" else last + 1
            )
            edits = steering_edits(steering, range(last, stop)) if steering else []
            row.append(reference.target_logprobs(prompt, target, edits).sum())
        rows.append(torch.stack(row))
    return torch.stack(rows)


def test_unsteered_equals_a_plain_forward_pass(subject: Subject) -> None:
    found = subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES)
    assert found.dtype == torch.float64
    assert_close(found, expected_logprobs(subject), 1e-4)


@pytest.mark.parametrize("positions", ["prompt", "generated"])
@pytest.mark.parametrize("operation", ["replace", "add"])
def test_steered_equals_a_plain_forward_pass_with_a_hook(
    subject: Subject, operation: str, positions: str
) -> None:
    scale = 0.7 if operation == "add" else 1.0
    steering = subject.steering(operation=operation, positions=positions, scale=scale)
    found = subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES, steering)
    assert_close(found, expected_logprobs(subject, steering), 1e-4)


@pytest.mark.parametrize("token_budget", [4096, 1])
def test_a_batch_equals_its_single_runs(subject: Subject, token_budget: int) -> None:
    engine = subject.with_budget(token_budget).engine
    found = engine.token_logprobs(CONVERSATIONS[::-1], CANDIDATES)
    single = [subject.engine.token_logprobs([one], CANDIDATES) for one in CONVERSATIONS[::-1]]
    assert_close(found, torch.cat(single), 1e-4)


def test_a_candidate_does_not_depend_on_the_others(subject: Subject) -> None:
    together = subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES)
    apart = [subject.engine.token_logprobs(CONVERSATIONS, [one]) for one in CANDIDATES]
    assert_close(together, torch.cat(apart, dim=1), 1e-4)


def test_the_same_call_gives_the_same_bits(subject: Subject) -> None:
    first, second = (subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES) for _ in range(2))
    assert torch.equal(first, second)
