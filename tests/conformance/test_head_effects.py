"""`head_effects` is the slope of a plain forward pass's loss as heads turn towards the vectors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from headwise.engines.base import GradientEngine
from headwise.engines.transformers import TransformersEngine
from headwise.errors import HeadwiseError, InputError
from headwise.heads import HeadVectors
from headwise.prompts.conversation import Conversation

from .subject import CONVERSATIONS, TARGETS, Subject, Traces, assert_close
from .test_mask_losses import random_vectors

STEP = 1e-4


class Turned:
    """A family's model in float64, run plainly with heads turned towards vectors."""

    def __init__(self, subject: Subject, vectors: HeadVectors) -> None:
        self.subject = subject
        self.vectors = vectors
        self.model = subject.family.build().double()
        # The other kernels for experts know no float64.
        self.model.set_experts_implementation("eager")

    @torch.no_grad()
    def loss(
        self,
        conversation: Conversation,
        target: str,
        strengths: Tensor,
        target_tokens: int | None = None,
        rivals: tuple[str, ...] = (),
    ) -> float:
        """Mean loss over the target's tokens."""
        reference = self.subject.reference
        prompt = reference.prompt(conversation)
        tokens = reference.target(conversation, target)[:target_tokens]
        ids = torch.tensor([[*prompt, *tokens[:-1]]])
        handles = self._install(strengths, len(tokens))
        try:
            logits = self.model(ids, use_cache=False).logits[0, -len(tokens) :].double()
        finally:
            for handle in handles:
                handle.remove()
        firsts = sorted({reference.target(conversation, text)[0] for text in rivals})
        if firsts:
            return -float(logits[0, firsts].log_softmax(0)[firsts.index(tokens[0])])
        chosen = logits.log_softmax(-1)[range(len(tokens)), tokens]
        return -float(chosen.mean())

    def slope(self, at: Tensor, way: Tensor, *arguments: object) -> float:
        """Central difference of the loss along a direction."""
        conversation, target, *rest = arguments
        up, down = (
            self.loss(conversation, target, at + sign * STEP * way, *rest) for sign in (1, -1)
        )
        return (up - down) / (2 * STEP)

    def _install(self, strengths: Tensor, last: int) -> list[torch.utils.hooks.RemovableHandle]:
        sizes = [heads.n_heads for heads in self.subject.family.heads]
        handles = []
        for heads, own, vectors in zip(
            self.subject.family.heads, strengths.split(sizes), self.vectors.values, strict=True
        ):
            projection = self.subject.family.projection_module(self.model, heads.layer)
            hook = turning(own.double()[:, None], vectors.double(), last)
            handles.append(projection.register_forward_pre_hook(hook))
        return handles


def turning(strengths: Tensor, vectors: Tensor, last: int) -> Callable[..., tuple[Tensor, ...]]:
    def hook(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        output = args[0].clone()
        patched = output[0, -last:].view(last, *vectors.shape)
        output[0, -last:] = (patched + strengths * (vectors - patched)).flatten(1)
        return (output, *args[1:])

    return hook


def directions(subject: Subject, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(8)
    return torch.randn(count, len(subject.all_heads()), generator=generator).double()


@pytest.mark.parametrize("target_tokens", [1, None])
@pytest.mark.parametrize("turned", [False, True], ids=["plain", "turned"])
def test_equals_a_finite_difference(
    subject: Subject, target_tokens: int | None, turned: bool
) -> None:
    vectors = random_vectors(subject)
    plain = Turned(subject, vectors)
    generator = torch.Generator().manual_seed(2)
    shape = len(CONVERSATIONS), len(subject.all_heads())
    at = torch.rand(shape, generator=generator) if turned else torch.zeros(shape)
    told = subject.engine.head_effects(
        CONVERSATIONS, TARGETS, vectors, at if turned else None, target_tokens=target_tokens
    )
    found, losses = told.effects, told.losses
    assert found.dtype == losses.dtype == torch.float32
    assert (tuple(found.shape), tuple(losses.shape)) == (shape, shape[:1])
    assert not found.requires_grad
    assert not losses.requires_grad
    # Many times the window, one token, prefilled.
    for row, (conversation, target) in enumerate(zip(CONVERSATIONS[:3], TARGETS, strict=False)):
        own = plain.loss(conversation, target, at[row].double(), target_tokens)
        assert float(losses[row]) == pytest.approx(own, rel=1e-4)
        for way in directions(subject, 1):
            expected = plain.slope(at[row].double(), way, conversation, target, target_tokens)
            scale = float(found[row].norm() * way.norm())
            assert float(found[row].double() @ way) == pytest.approx(expected, abs=2e-3 * scale)
        assert float(found[row].norm()) > 1e-3


def test_a_target_can_compete_among_a_few_tokens_only(llama: Subject) -> None:
    vectors, among = random_vectors(llama), ("Yes", "No", "the mat")
    found = llama.engine.head_effects(
        CONVERSATIONS[:2], ("No", "Yes"), vectors, among=among
    ).effects
    plain, nothing = Turned(llama, vectors), torch.zeros(18).double()
    for row, target in enumerate(("No", "Yes")):
        for way in directions(llama, 3):
            expected = plain.slope(nothing, way, CONVERSATIONS[row], target, 1, among)
            assert float(found[row].double() @ way) == pytest.approx(expected, rel=1e-3)


def test_one_row_of_strengths_serves_every_conversation(llama: Subject) -> None:
    vectors, at = random_vectors(llama), torch.linspace(0, 1, 18)
    one = llama.engine.head_effects(CONVERSATIONS, TARGETS, vectors, at)
    many = llama.engine.head_effects(CONVERSATIONS, TARGETS, vectors, at.repeat(5, 1))
    assert torch.equal(one.effects, many.effects)
    assert torch.equal(one.losses, many.losses)


@pytest.mark.parametrize("token_budget", [4096, 1])
def test_a_batch_equals_its_single_runs(subject: Subject, token_budget: int) -> None:
    engine, vectors = subject.with_budget(token_budget).engine, random_vectors(subject)
    found = engine.head_effects(CONVERSATIONS, TARGETS, vectors, target_tokens=None)
    single = [
        subject.engine.head_effects([one], [target], vectors, target_tokens=None)
        for one, target in zip(CONVERSATIONS, TARGETS, strict=True)
    ]
    expected = torch.cat([one.effects for one in single])
    assert_close(found.effects, expected, 1e-4 * float(expected.abs().max()))
    assert_close(found.losses, torch.cat([one.losses for one in single]), 1e-4)


@pytest.mark.parametrize("frozen", [True, False])
def test_gradients_leave_nothing_behind(subject: Subject, frozen: bool) -> None:
    vectors = random_vectors(subject)
    asked = [parameter.requires_grad for parameter in subject.model.parameters()]
    subject.model.requires_grad_(not frozen)
    try:
        before = Traces.of(subject.model, subject.tokenizer)
        losses = subject.engine.mask_losses(CONVERSATIONS, TARGETS, vectors, subject.masks(3))
        with torch.no_grad():
            first = subject.engine.head_effects(CONVERSATIONS, TARGETS, vectors)
        second = subject.engine.head_effects(CONVERSATIONS, TARGETS, vectors)
        assert torch.equal(second.effects, first.effects)
        assert Traces.of(subject.model, subject.tokenizer) == before
        assert all(p.requires_grad is not frozen for p in subject.model.parameters())
        assert all(p.grad is None for p in subject.model.parameters())
        again = subject.engine.mask_losses(CONVERSATIONS, TARGETS, vectors, subject.masks(3))
        assert not again.requires_grad
        assert torch.equal(again, losses)
    finally:
        for parameter, flag in zip(subject.model.parameters(), asked, strict=True):
            parameter.requires_grad_(flag)


def test_what_does_not_fit_is_refused(llama: Subject) -> None:
    assert isinstance(llama.engine, GradientEngine)
    vectors = random_vectors(llama)
    for strengths in (torch.zeros(17), torch.zeros(2, 18), torch.full((18,), float("nan"))):
        with pytest.raises(InputError, match="strengths"):
            llama.engine.head_effects(CONVERSATIONS, TARGETS, vectors, strengths)
    with pytest.raises(InputError, match="one target a conversation"):
        llama.engine.head_effects(CONVERSATIONS, TARGETS[:2], vectors)


def test_infinite_gradients_are_an_error(llama: Subject) -> None:
    model = llama.family.build()
    with torch.no_grad():
        model.get_output_embeddings().weight.fill_(float("nan"))
    engine = TransformersEngine(model, llama.tokenizer)
    with pytest.raises(HeadwiseError, match="gradients"):
        engine.head_effects(CONVERSATIONS[:1], TARGETS[:1], random_vectors(llama))
