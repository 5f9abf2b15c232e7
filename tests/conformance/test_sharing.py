"""What many requests share is worth running once, and must not show in the results."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from headwise.engines.transformers import TransformersEngine
from headwise.prompts.conversation import Conversation

from .reference import steering_edits
from .subject import CONVERSATIONS, Subject, alone, assert_close, assert_same_activations
from .watching import begun

DIALOGUE = "the dog sat on the cat and the cat sat on the dog. " * 3
RESPONSES = ("Yes", "No", "a good answer", "the mat and the cat", "Hi", "Yes and no", "Yes")
SHARING = tuple(Conversation.user(text, system=DIALOGUE) for text in RESPONSES)
TEXTS = ("the cat sat. " * 25, "the dog sat. " * 25, "a good cat. " * 25)
GROUPS = tuple(
    Conversation.user(text + response, system=DIALOGUE * 2)
    for response in RESPONSES[:5]
    for text in TEXTS
)
LONGER_CANDIDATES = (
    " the mat",
    " the cat and dog",
    " No",
    " a good answer",
    " Yes and no",
    "is it",
)


def shared_tokens(subject: Subject) -> int:
    """Tokens with which all sharing conversations begin."""
    prompts = [subject.reference.prompt(one) for one in SHARING]
    columns = zip(*prompts, strict=False)
    return next(n for n, column in enumerate(columns) if len(set(column)) > 1)


def test_the_conversations_share_enough_to_matter(llama: Subject) -> None:
    assert shared_tokens(llama) * (len(SHARING) - 1) > 400


@pytest.mark.parametrize("token_budget", [4096, 40])
def test_capture_of_conversations_with_one_beginning(subject: Subject, token_budget: int) -> None:
    everyone = [CONVERSATIONS[0], *SHARING, CONVERSATIONS[3]]
    found = subject.with_budget(token_budget).engine.capture(everyone)
    assert_same_activations(found, alone(subject.engine, everyone), 1e-4)


def test_capture_where_only_some_share(subject: Subject) -> None:
    others = [Conversation.user(text, system="Is this good? " + DIALOGUE) for text in RESPONSES[:5]]
    everyone = [one for pair in zip(SHARING, others, strict=False) for one in pair]
    found = subject.engine.capture(everyone, subject.some_heads())
    expected = alone(subject.engine, everyone)
    for layer in subject.some_heads().layers:
        assert_close(found.layer(layer), expected.layer(layer), 1e-4)


def test_capture_where_one_conversation_is_the_beginning_of_the_others(subject: Subject) -> None:
    everyone = [Conversation.completion(DIALOGUE + text) for text in ("", *RESPONSES)]
    found = subject.engine.capture(everyone)
    assert_same_activations(found, alone(subject.engine, everyone), 1e-4)


@pytest.mark.parametrize("positions", ["prompt", "generated"])
def test_steered_candidates_of_prompts_with_one_beginning(subject: Subject, positions: str) -> None:
    steering = subject.steering(operation="replace", positions=positions)
    found = subject.engine.token_logprobs(SHARING[:3], LONGER_CANDIDATES, steering)
    reference = subject.reference
    for row, conversation in enumerate(SHARING[:3]):
        prompt = reference.prompt(conversation)
        for column, candidate in enumerate(LONGER_CANDIDATES):
            target = reference.target(conversation, candidate)
            last = len(prompt) - 1
            stop = last + (len(target) if positions == "generated" else 1)
            edits = steering_edits(steering, range(last, stop))
            expected = reference.target_logprobs(prompt, target, edits).sum()
            assert_close(found[row, column], torch.as_tensor(expected), 1e-4)


def test_capture_one_by_one_of_conversations_of_a_template(subject: Subject) -> None:
    like = Conversation.user("such a text", system=DIALOGUE)
    everyone = [replace(conversation, like=like) for conversation in SHARING]
    expected = alone(subject.engine, SHARING)
    engine = subject.with_budget(4096).engine
    for _ in range(2):
        assert_same_activations(alone(engine, everyone), expected, 1e-4)


def test_what_is_kept_does_not_outlive_the_weights(llama: Subject) -> None:
    like = Conversation.user("such a text", system=DIALOGUE)
    one = replace(SHARING[0], like=like)
    vectors, masks = llama.vectors_of(SHARING[1]), llama.masks(3)
    model = llama.family.build()
    engine = TransformersEngine(model, llama.tokenizer)
    before = engine.capture([one]), engine.mask_losses([one], ["Yes"], vectors, masks)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(1.5)
    fresh = TransformersEngine(model, llama.tokenizer)
    after = engine.capture([one]), engine.mask_losses([one], ["Yes"], vectors, masks)
    assert_same_activations(after[0], fresh.capture([one]), 0)
    assert torch.equal(after[1], fresh.mask_losses([one], ["Yes"], vectors, masks))
    assert not torch.equal(after[0].layer(0), before[0].layer(0))
    assert not torch.equal(after[1], before[1])


@pytest.mark.parametrize("token_budget", [4096, 100])
def test_what_several_groups_begin_with_is_run_once(subject: Subject, token_budget: int) -> None:
    engine: Any = subject.with_budget(token_budget).engine
    steering = subject.steering(operation="replace", positions="generated")
    with begun(engine) as prefixes:
        found = engine.capture(GROUPS)
    assert_same_activations(found, alone(subject.engine, GROUPS), 1e-4)
    with begun(engine) as prefixes_of_scores:
        scores = engine.token_logprobs(GROUPS, LONGER_CANDIDATES, steering)
    expected = [subject.engine.token_logprobs([o], LONGER_CANDIDATES, steering) for o in GROUPS]
    assert_close(scores, torch.cat(expected), 1e-4)
    if engine._frozen.shares_prefixes:
        first, *others = prefixes
        assert first.n_before == 0
        assert [one.n_before for one in others] == [first.n_tokens] * len(TEXTS)
        assert [one.n_before > 0 for one in prefixes_of_scores].count(False) == 1
        assert len(prefixes_of_scores) > len(TEXTS)
