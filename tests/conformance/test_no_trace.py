"""An engine leaves the user's model and tokenizer as they were, also when a call fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from headwise.engines.base import Engine, Sampling
from headwise.engines.transformers import TransformersEngine
from tiny_models import family

from .subject import CANDIDATES, CONVERSATIONS, TARGETS, Subject, Traces

Verb = Callable[[Engine, Subject], object]


def _capture(engine: Engine, subject: Subject) -> object:
    return engine.capture(CONVERSATIONS).values


def _capture_some(engine: Engine, subject: Subject) -> object:
    return engine.capture(CONVERSATIONS, subject.some_heads()).values


def _token_logprobs(engine: Engine, subject: Subject) -> object:
    return engine.token_logprobs(CONVERSATIONS, CANDIDATES, subject.steering(positions="generated"))


def _mask_losses(engine: Engine, subject: Subject) -> object:
    vectors = subject.vectors_of(CONVERSATIONS[0])
    return engine.mask_losses(CONVERSATIONS, TARGETS, vectors, subject.masks(3), target_tokens=None)


def _generate(engine: Engine, subject: Subject) -> object:
    sampling = Sampling(max_new_tokens=3, temperature=0.5, top_p=0.9)
    return engine.generate(CONVERSATIONS, sampling, subject.steering(positions="generated"))


def _mask_losses_among(engine: Engine, subject: Subject) -> object:
    vectors = subject.vectors_of(CONVERSATIONS[0])
    targets = ("Yes",) * len(CONVERSATIONS)
    return engine.mask_losses(
        CONVERSATIONS, targets, vectors, subject.masks(3), among=("Yes", "No")
    )


def _head_effects(engine: Engine, subject: Subject) -> object:
    found = engine.head_effects(CONVERSATIONS, TARGETS, subject.vectors_of(CONVERSATIONS[0]))
    return found.effects, found.losses


def _stream(engine: Engine, subject: Subject) -> object:
    sampling = Sampling(max_new_tokens=3, temperature=0.5, top_p=0.9)
    steering = subject.steering(positions="generated")
    return tuple(engine.stream(CONVERSATIONS[0], sampling, steering))


VERBS = (
    _capture,
    _capture_some,
    _token_logprobs,
    _mask_losses,
    _mask_losses_among,
    _head_effects,
    _generate,
    _stream,
)
each_verb = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__.strip("_"))


def same(first: object, second: object) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, tuple):
        return all(map(same, first, second))
    return first == second


@each_verb
def test_nothing_is_left_behind(subject: Subject, verb: Verb) -> None:
    before = Traces.of(subject.model, subject.tokenizer)
    state = torch.get_rng_state()
    verb(subject.engine, subject)
    assert Traces.of(subject.model, subject.tokenizer) == before
    assert torch.equal(torch.get_rng_state(), state), "the global random state has moved"


@each_verb
def test_nothing_is_left_behind_by_a_failure_inside_the_model(
    subject: Subject, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = verb(subject.engine, subject)
    before = Traces.of(subject.model, subject.tokenizer)

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the layer failed")

    deepest = subject.family.heads[-1].layer
    with monkeypatch.context() as patch:
        patch.setattr(subject.family.layer_module(subject.model, deepest), "forward", fail)
        with pytest.raises(RuntimeError, match="the layer failed"):
            verb(subject.engine, subject)
    assert Traces.of(subject.model, subject.tokenizer) == before
    assert same(verb(subject.engine, subject), expected), "a failure changed later results"


@each_verb
def test_a_model_in_training_mode_stays_so_and_answers_as_in_eval_mode(
    dropping_out: Subject, verb: Verb
) -> None:
    subject = dropping_out
    expected = verb(subject.engine, subject)
    subject.model.train()
    try:
        before = Traces.of(subject.model, subject.tokenizer)
        found = verb(subject.engine, subject)
        after = Traces.of(subject.model, subject.tokenizer)
    finally:
        subject.model.eval()
    assert after == before
    assert same(found, expected)


@each_verb
def test_each_module_gets_back_its_own_mode(dropping_out: Subject, verb: Verb) -> None:
    subject = dropping_out
    expected = verb(subject.engine, subject)
    deepest = subject.family.heads[-1].layer
    subject.family.layer_module(subject.model, deepest).train()
    try:
        before = Traces.of(subject.model, subject.tokenizer)
        found = verb(subject.engine, subject)
        after = Traces.of(subject.model, subject.tokenizer)
    finally:
        subject.model.eval()
    assert after == before
    assert same(found, expected)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_making_an_engine_leaves_a_model_in_training_mode(llama: Subject, name: str) -> None:
    model = family(name).build().train()
    before = Traces.of(model, llama.tokenizer)
    TransformersEngine(model, llama.tokenizer)
    assert Traces.of(model, llama.tokenizer) == before
