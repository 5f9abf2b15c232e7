"""Heads of models that see are what a plain pass over a user's own inputs gives, in any batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from headwise.content import as_image
from headwise.engines.base import Sampling
from headwise.heads import HeadActivations, HeadSet
from headwise.prompts.conversation import Conversation
from tiny_vision_models import build_vision

from .seeing import ASKED, OTHER, TALK, TALL, TWO, WIDE, Seeing, picture
from .subject import alone, assert_same_activations

STORY = "the dog sat on the cat and the cat sat on the dog. " * 2
RESPONSES = ("Yes", "No", "a good answer", "the mat and the cat", "Hi", "Yes and no")


@torch.no_grad()
def plain_heads(seeing: Seeing, conversation: Conversation) -> list[Tensor]:
    """Inputs of the output projections at the last token of one plain, unpadded pass."""
    seen: dict[int, Tensor] = {}
    handles = [
        seeing.projection(seeing.plain, heads.layer).register_forward_pre_hook(
            lambda module, args, layer=heads.layer: seen.__setitem__(layer, args[0][0, -1])
        )
        for heads in seeing.heads
    ]
    try:
        seeing.plain.model(**seeing.inputs(conversation), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    # Without a picture a model passes the layers by that look at pictures alone.
    return [
        seen.get(h.layer, torch.zeros(h.n_heads * h.head_dim)).reshape(h.n_heads, h.head_dim)
        for h in seeing.heads
    ]


def test_layout_is_the_stated_one(seeing: Seeing) -> None:
    assert seeing.engine.layout == seeing.layout


def test_capture_equals_a_plain_pass(seeing: Seeing) -> None:
    rows = [plain_heads(seeing, conversation) for conversation in seeing.conversations]
    layers = tuple(torch.stack(layer) for layer in zip(*rows, strict=True))
    expected = HeadActivations(seeing.layout, layers)
    assert_same_activations(alone(seeing.engine, seeing.conversations), expected, 1e-5)


@torch.no_grad()
def weighted_values(seeing: Seeing, conversation: Conversation) -> list[Tensor]:
    """Head outputs the long way round: attention weights of the eager kernel, times values."""
    model, weights, values = build_vision(seeing.tiny.family).model, {}, {}
    model.set_attn_implementation("eager")
    for heads in seeing.heads:
        projection = seeing.projection(seeing.tiny, heads.layer)
        name = next(n for n, one in seeing.tiny.model.named_modules() if one is projection)
        attention = model.get_submodule(name.rpartition(".")[0])
        attention.register_forward_hook(
            lambda module, args, output, layer=heads.layer: weights.__setitem__(layer, output[1])
        )
        attention.v_proj.register_forward_hook(
            lambda module, args, output, layer=heads.layer: values.__setitem__(layer, output)
        )
    model(**seeing.inputs(conversation), use_cache=False)
    outputs = []
    for heads in seeing.heads:
        by_head = values[heads.layer].reshape(-1, heads.n_kv_heads, heads.head_dim)
        group = heads.n_heads // heads.n_kv_heads
        rows = weights[heads.layer][0, :, -1]
        outputs.append(torch.stack([row @ by_head[:, j // group] for j, row in enumerate(rows)]))
    return outputs


def test_heads_are_attention_weights_times_values(seeing: Seeing) -> None:
    for conversation in (ASKED, TWO):
        found = seeing.engine.capture([conversation]).rows([0])
        values = tuple(layer[None] for layer in weighted_values(seeing, conversation))
        assert_same_activations(found, HeadActivations(seeing.layout, values), 1e-5)


@pytest.mark.parametrize("token_budget", [4096, 1])
def test_a_batch_equals_its_single_runs(seeing: Seeing, token_budget: int) -> None:
    backwards = seeing.conversations[::-1]
    found = seeing.with_budget(token_budget).capture(backwards)
    assert_same_activations(found, alone(seeing.engine, backwards), 1e-5)


def test_an_image_changes_what_heads_say(seeing: Seeing) -> None:
    others = [Conversation.user((image, "What is this?")) for image in (WIDE, OTHER)]
    first, second = seeing.engine.capture(others).values[-1]
    assert float((first - second).abs().max()) > 1e-2 * float(first.abs().max())


def test_the_deepest_layer_needed_is_the_last_run(seeing: Seeing) -> None:
    first, last = seeing.tiny.facts.heads[0], seeing.tiny.facts.heads[-1]
    run: list[int] = []
    handle = seeing.projection(seeing.tiny, last.layer).register_forward_pre_hook(
        lambda module, args: run.append(last.layer)
    )
    try:
        found = seeing.engine.capture([ASKED, TWO], HeadSet.of([(first.layer, 0)]))
    finally:
        handle.remove()
    assert not run
    full = seeing.engine.capture([ASKED, TWO])
    assert torch.equal(found.layer(first.layer), full.layer(first.layer))


def sharing(*images: object) -> list[Conversation]:
    return [
        Conversation.user((*images, STORY, text))  # type: ignore[arg-type]
        for text in RESPONSES
    ]


@pytest.mark.parametrize("shown", [(WIDE,), (WIDE, TALL)], ids=["one", "two"])
def test_what_many_responses_share_does_not_show(seeing: Seeing, shown: tuple[object]) -> None:
    everyone = [TWO, *sharing(*shown), *sharing(OTHER)]
    found = seeing.engine.capture(everyone)
    assert_same_activations(found, alone(seeing.engine, everyone), 1e-5)


def test_what_is_kept_between_calls_may_hold_pictures(seeing: Seeing) -> None:
    like = Conversation.user((WIDE, STORY, "such a text"))
    everyone = [replace(one, like=like) for one in sharing(WIDE)[:3]]
    unlike = [replace(one, like=like) for one in sharing(OTHER)[:1]]
    expected = alone(seeing.engine, [*sharing(WIDE)[:3], *sharing(OTHER)[:1]])
    engine = seeing.with_budget(4096)
    for _ in range(2):
        assert_same_activations(alone(engine, [*everyone, *unlike]), expected, 1e-5)
    assert engine._frozen.shares_prefixes == bool(engine._frozen.beginnings._kept)


def test_pictures_that_follow_what_is_shared(seeing: Seeing) -> None:
    images = (WIDE, TALL, OTHER, picture(44, 44, 7), WIDE)
    everyone = [Conversation.completion((STORY * 2, image, "Hi")) for image in images]
    found = seeing.engine.capture(everyone)
    assert_same_activations(found, alone(seeing.engine, everyone), 1e-5)


def test_a_prompt_may_end_in_a_picture(seeing: Seeing) -> None:
    everyone = [Conversation.completion((text, WIDE)) for text in ("the cat", "a", "the mat")]
    found = seeing.engine.capture(everyone)
    assert_same_activations(found, alone(seeing.engine, everyone), 1e-5)


def looks(seeing: Seeing) -> list[int]:
    """Counts calls of the vision tower."""
    calls: list[int] = []
    tower = next(
        module
        for name, module in seeing.tiny.model.named_modules()
        if name.rpartition(".")[2] in ("vision_tower", "vision_model", "visual")
    )
    assert isinstance(tower, nn.Module)
    tower.register_forward_pre_hook(lambda module, args: calls.append(1))
    return calls


@pytest.mark.parametrize("family", ["idefics3", "qwen3_vl", "llava", "gemma3"])
def test_a_picture_is_looked_at_once(family: str) -> None:
    seeing = Seeing.of(family)
    calls = looks(seeing)
    again = as_image(WIDE.load())
    everyone = [ASKED, *sharing(again), Conversation.user(("Hi", again, again))]
    seeing.with_budget(200).capture(everyone)
    assert len(calls) == 1
    masks, vectors = seeing.masks(5), seeing.vectors()
    fresh = seeing.with_budget(4096)
    fresh.mask_losses([ASKED, TALK], ["Yes", "No"], vectors, masks)
    fresh.token_logprobs([ASKED, TALK], ["Yes", " No", " a good answer"])
    fresh.generate([ASKED, ASKED, TALK], Sampling(2))
    assert len(calls) == 2
    before = seeing.engine.capture([ASKED])
    with torch.no_grad():
        for weight in seeing.tiny.model.parameters():
            weight.mul_(1.05)
    after = seeing.engine.capture([ASKED])
    fresh = seeing.with_budget(4096).capture([ASKED])
    assert not torch.equal(before.values[0], after.values[0])
    assert_same_activations(after, fresh, 0)
