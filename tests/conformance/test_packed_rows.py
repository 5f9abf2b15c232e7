"""Rows that lie behind one another give what each gives alone, where a model can be run so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from headwise.engines.transformers import TransformersEngine
from headwise.prompts.conversation import Conversation
from tiny_models import FAMILIES, family

from .subject import CANDIDATES, CONVERSATIONS, Subject, alone, assert_same_activations

# Of the others some have a window shorter than the trial or a recurrent state, and some choose
# their attention so that nobody else can.
PACKED = frozenset(
    ("llama", "qwen2", "qwen3", "gpt2", "phi", "phi3", "opt", "gpt_neox", "mixtral", "qwen3_moe")
) | {"deepseek_v3"}
MANY = tuple(
    Conversation.user("the dog sat on the mat. " * n, system="Is this good?") for n in range(1, 12)
)


@contextmanager
def shapes_run(model: nn.Module) -> Iterator[list[tuple[int, ...]]]:
    """The shapes of the token ids that a model is given."""
    shapes: list[tuple[int, ...]] = []
    embedding = model.get_input_embeddings()  # type: ignore[operator]
    handle = embedding.register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape))
    try:
        yield shapes
    finally:
        handle.remove()


def test_these_families_are_run_so(subject: Subject) -> None:
    subject.engine.capture(MANY)
    with shapes_run(subject.model) as shapes:
        subject.engine.capture(MANY)
    assert all(len(shape) == 2 and shape[0] == 1 for shape in shapes) == (
        subject.family.name in PACKED
    )


def test_all_are_of_a_known_family() -> None:
    assert {one.name for one in FAMILIES} >= PACKED


@pytest.mark.parametrize("token_budget", [4096, 60, 1])
def test_they_give_what_each_gives_alone(subject: Subject, token_budget: int) -> None:
    everyone = [*MANY, *CONVERSATIONS]
    found = subject.with_budget(token_budget).engine.capture(everyone)
    assert_same_activations(found, alone(subject.engine, everyone), 1e-4)


def test_their_log_probabilities_are_those_of_each_alone(subject: Subject) -> None:
    everyone = [*MANY, *CONVERSATIONS]
    found = subject.engine.token_logprobs(everyone, CANDIDATES)
    apart = [subject.engine.token_logprobs([one], CANDIDATES) for one in everyone]
    assert torch.allclose(found, torch.cat(apart), atol=1e-4)


def test_rows_longer_than_a_window_are_not(tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    model = family("mistral").build()
    model.config.sliding_window = 40
    engine = TransformersEngine(model, tiny_tokenizer)
    short = [Conversation.completion(text) for text in ("the cat", "the dog sat", "a mat")]
    with shapes_run(model) as shapes:
        engine.capture(short)
        assert shapes[-1][0] == 1
        engine.capture(MANY[-2:])
    assert shapes[-1][0] == 2
