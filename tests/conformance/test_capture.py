"""`layout` and `capture`: the right heads and numbers, whatever the batch, and no more work."""

from __future__ import annotations

import pytest
import torch

from headwise.engines.transformers import TransformersEngine
from headwise.heads import HeadActivations, HeadLayout, HeadSet, LayerHeads
from tiny_models import family
from tiny_tokenizer import build_tokenizer

from .subject import CONVERSATIONS, Subject, alone, assert_same_activations


def stated_layout(subject: Subject) -> HeadLayout:
    return HeadLayout(
        tuple(LayerHeads(one.layer, one.n_heads, one.head_dim) for one in subject.family.heads)
    )


def test_layout_is_the_stated_one(subject: Subject) -> None:
    assert subject.engine.layout == stated_layout(subject)


def test_capture_equals_the_oracle(subject: Subject) -> None:
    rows = [
        subject.oracle.head_outputs(subject.reference.prompt(conversation))
        for conversation in CONVERSATIONS
    ]
    expected = HeadActivations(
        stated_layout(subject), tuple(torch.stack(layer) for layer in zip(*rows, strict=True))
    )
    assert_same_activations(alone(subject.engine, CONVERSATIONS), expected, 1e-5)


def test_values_are_float32_on_the_cpu(subject: Subject) -> None:
    for value in subject.engine.capture(CONVERSATIONS[:2]).values:
        assert value.dtype == torch.float32
        assert value.device.type == "cpu"
        assert not value.requires_grad


@pytest.mark.parametrize(
    ("token_budget", "order"),
    [(4096, (0, 1, 2, 3, 4)), (90, (3, 1, 4, 0, 2)), (1, (3, 1, 4, 0, 2))],
    ids=["together", "in parts", "one by one"],
)
def test_a_batch_equals_its_single_runs(
    subject: Subject, token_budget: int, order: tuple[int, ...]
) -> None:
    engine = subject.with_budget(token_budget).engine
    found = engine.capture([CONVERSATIONS[number] for number in order])
    expected = alone(subject.engine, CONVERSATIONS).rows(order)
    assert_same_activations(found, expected, 1e-4)


def test_some_heads_are_captured_by_whole_layers(subject: Subject) -> None:
    heads = subject.some_heads()
    found = subject.engine.capture(CONVERSATIONS, heads)
    full = subject.engine.capture(CONVERSATIONS)
    assert found.layout == full.layout.restricted_to(heads.layers)
    for layer in heads.layers:
        assert torch.equal(found.layer(layer), full.layer(layer))


def test_capture_stops_at_the_deepest_layer_needed(subject: Subject) -> None:
    deepest = subject.family.heads[0].layer
    # The first call of several rows tries on the whole model how they may be run.
    subject.engine.capture(CONVERSATIONS)
    run: list[int] = []
    handles = [
        subject.family.layer_module(subject.model, layer).register_forward_pre_hook(
            lambda module, args, layer=layer: run.append(layer)
        )
        for layer in range(subject.family.n_layers)
    ]
    try:
        subject.engine.capture(CONVERSATIONS, HeadSet.of([(deepest, 0)]))
    finally:
        for handle in handles:
            handle.remove()
    assert set(run) == set(range(deepest + 1))


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_a_bfloat16_model_gives_float32_and_nearly_the_same(name: str) -> None:
    exact = Subject.of(family(name), build_tokenizer())
    rounded = TransformersEngine(exact.family.build().bfloat16(), exact.tokenizer)
    found = rounded.capture(CONVERSATIONS)
    assert {value.dtype for value in found.values} == {torch.float32}
    assert_same_activations(found, exact.engine.capture(CONVERSATIONS), 0.1)


def test_the_same_call_gives_the_same_bits(subject: Subject) -> None:
    first, second = (subject.engine.capture(CONVERSATIONS) for _ in range(2))
    assert all(map(torch.equal, first.values, second.values))
