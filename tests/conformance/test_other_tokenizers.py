"""The same holds for a tokenizer with no chat template or padding token, or with a first token."""

from __future__ import annotations

import torch

from headwise.engines.base import Sampling
from headwise.heads import HeadActivations

from .subject import (
    CANDIDATES,
    CONVERSATIONS,
    Subject,
    Traces,
    alone,
    assert_close,
    assert_same_activations,
)


def test_capture_equals_the_oracle(other_tokenizer_subject: Subject) -> None:
    subject = other_tokenizer_subject
    rows = [subject.oracle.head_outputs(subject.reference.prompt(one)) for one in CONVERSATIONS]
    layers = tuple(torch.stack(layer) for layer in zip(*rows, strict=True))
    expected = HeadActivations(subject.engine.layout, layers)
    assert_same_activations(alone(subject.engine, CONVERSATIONS), expected, 1e-5)
    assert_same_activations(subject.engine.capture(CONVERSATIONS), expected, 1e-4)


def test_logprobs_equal_a_plain_forward_pass(other_tokenizer_subject: Subject) -> None:
    subject = other_tokenizer_subject
    reference = subject.reference
    rows = [
        [
            reference.target_logprobs(reference.prompt(one), reference.target(one, candidate)).sum()
            for candidate in CANDIDATES
        ]
        for one in CONVERSATIONS
    ]
    found = subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES)
    assert_close(found, torch.tensor(rows, dtype=torch.float64), 1e-4)


def test_greedy_text_is_what_plain_forward_passes_give(other_tokenizer_subject: Subject) -> None:
    subject = other_tokenizer_subject
    expected = [subject.reference.greedy(one, 6) for one in CONVERSATIONS]
    assert subject.engine.generate(CONVERSATIONS, Sampling(max_new_tokens=6)) == expected


def test_nothing_is_left_behind(other_tokenizer_subject: Subject) -> None:
    subject = other_tokenizer_subject
    before = Traces.of(subject.model, subject.tokenizer)
    subject.engine.capture(CONVERSATIONS)
    subject.engine.token_logprobs(CONVERSATIONS, CANDIDATES)
    subject.engine.generate(CONVERSATIONS, Sampling(max_new_tokens=3))
    assert Traces.of(subject.model, subject.tokenizer) == before
