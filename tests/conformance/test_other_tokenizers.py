"""The same holds for a tokenizer with no chat template or padding token, or with a first token."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from headwise.engines.base import Sampling
from headwise.engines.transformers import TransformersEngine
from headwise.heads import HeadActivations
from headwise.prompts.conversation import Conversation
from tiny_models import family
from tiny_tokenizer import VOCAB_SIZE

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


@pytest.mark.parametrize(
    "text", ["the cat sat on the mat. " * 9, "é" * 40], ids=["ascii", "accents"]
)
@pytest.mark.parametrize("budget", [8, 9, 33])
def test_a_tokenizer_without_offsets_truncates_too(text: str, budget: int) -> None:
    tokenizer = ByT5Tokenizer(extra_ids=0)
    engine = TransformersEngine(family("llama").build(), tokenizer)
    cut = engine.truncate(text, budget)
    assert cut.n_tokens_removed == len(text.encode()) - budget
    before, _, after = cut.text.partition(" [...] ")
    assert text.startswith(before)
    assert text.endswith(after)
    assert len(before) > len(after) > 0
    assert engine.truncate(text, len(text.encode())).text == text


def test_padding_after_the_end_of_a_text_is_not_said() -> None:
    words = {f"w{number}": number for number in range(VOCAB_SIZE)}
    backend = Tokenizer(models.WordLevel(words))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    model = family("llama").build()
    prompts = [Conversation.completion(f"w{number} w{number + 1}") for number in range(40, 60)]
    sampling = Sampling(max_new_tokens=6)
    plain = TransformersEngine(model, tokenizer).generate(prompts, sampling)
    # Some texts end early, at words that are not special; so is the padding.
    model.generation_config.eos_token_id = [int(text.split()[1][1:]) for text in plain[:3]]
    engine = TransformersEngine(model, tokenizer)
    together = engine.generate(prompts, sampling)
    assert together != plain
    assert together == [engine.generate([one], sampling)[0] for one in prompts]
