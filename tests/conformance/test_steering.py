"""Steering: putting back what was there changes nothing, putting in anything else does."""

from __future__ import annotations

import pytest
import torch

from headwise.errors import InputError
from headwise.heads import HeadSet, Steering

from .subject import CANDIDATES, CONVERSATIONS, Subject, assert_close


def test_a_heads_own_output_put_back_changes_nothing(subject: Subject) -> None:
    for conversation in CONVERSATIONS:
        steering = Steering.from_vectors(subject.all_heads(), subject.vectors_of(conversation))
        plain = subject.engine.token_logprobs([conversation], CANDIDATES)
        steered = subject.engine.token_logprobs([conversation], CANDIDATES, steering)
        # About 1e-5 a token; the longest candidate has several.
        assert_close(steered, plain, 5e-5)


def test_another_conversations_output_changes_the_answer(subject: Subject) -> None:
    vectors = subject.vectors_of(CONVERSATIONS[0])
    one = [CONVERSATIONS[2]]
    plain = subject.engine.token_logprobs(one, CANDIDATES)
    for head in subject.all_heads():
        steering = Steering.from_vectors(HeadSet.of([head]), vectors)
        changed = subject.engine.token_logprobs(one, CANDIDATES, steering)
        assert float((changed - plain).abs().max()) > 1e-4, f"{head} changed nothing"


def test_steering_no_head_changes_nothing(subject: Subject) -> None:
    plain = subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES)
    nothing = Steering(HeadSet.of([]), ())
    assert torch.equal(subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES, nothing), plain)


def test_adding_nothing_changes_nothing(subject: Subject) -> None:
    plain = subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES)
    steering = subject.steering(operation="add", positions="generated", scale=0.0)
    assert_close(subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES, steering), plain, 1e-5)


def test_adding_the_difference_is_replacing(subject: Subject) -> None:
    heads = subject.some_heads()
    first = HeadSet.of([index for index in heads if index.layer == heads.layers[0]])
    ours, theirs = (subject.vectors_of(CONVERSATIONS[number]) for number in (2, 0))
    # Only one layer, since the outputs of deeper ones follow from it.
    added = Steering.from_vectors(first, theirs.minus(ours), operation="add")
    replaced = Steering.from_vectors(first, theirs)
    one = [CONVERSATIONS[2]]
    assert_close(
        subject.engine.token_logprobs(one, CANDIDATES, added),
        subject.engine.token_logprobs(one, CANDIDATES, replaced),
        1e-4,
    )


def test_prompt_steering_and_generated_steering_agree_on_the_first_token(subject: Subject) -> None:
    at_prompt, at_generated = (
        subject.engine.token_logprobs(CONVERSATIONS, ["Y"], subject.steering(positions=positions))
        for positions in ("prompt", "generated")
    )
    assert_close(at_prompt, at_generated, 1e-5)


def test_a_steered_call_gives_the_same_bits_twice(subject: Subject) -> None:
    steering = subject.steering(positions="generated")
    first, second = (
        subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES, steering) for _ in range(2)
    )
    assert torch.equal(first, second)


def test_each_conversation_may_be_steered_in_its_own_way(subject: Subject) -> None:
    ways = [
        subject.steering(operation="replace", positions="prompt"),
        None,
        subject.steering(operation="add", positions="generated", scale=0.5),
    ]
    each = [ways[number % len(ways)] for number in range(len(CONVERSATIONS))]
    found = subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES, each)
    for way in ways:
        alone = subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES, way)
        own = [number for number, one in enumerate(each) if one is way]
        assert_close(found[own], alone[own], 1e-4)


def test_too_few_steerings_are_refused(subject: Subject) -> None:
    with pytest.raises(InputError, match="1 steerings for 2 conversations"):
        subject.engine.token_logprobs(CONVERSATIONS[:2], CANDIDATES, [None])
