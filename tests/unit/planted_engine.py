"""A fake engine whose best heads are known, for tests of head searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from headwise.engines.base import HeadEffects
from headwise.heads import HeadActivations, HeadIndex, HeadLayout, HeadVectors, LayerHeads
from headwise.prompts.conversation import Conversation
from headwise.selection.search import SearchTask

LAYOUT = HeadLayout((LayerHeads(0, 4, 2), LayerHeads(2, 3, 4), LayerHeads(5, 5, 2)))
PLANTED = {HeadIndex(0, 2), HeadIndex(2, 0), HeadIndex(5, 4)}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `mask_losses` or `head_effects`."""

    conversations: tuple[Conversation, ...]
    at: Tensor
    target_tokens: int | None
    among: tuple[str, ...] | None


class GradientPlantedEngine:
    """Steering a planted head lowers the loss, steering any other raises it.

    Args:
        needs_company: Whether planted heads do good only together with one another: each alone
            looks as bad as any other.
    """

    fingerprint: Any = None
    layout = LAYOUT

    def __init__(self, needs_company: bool = False) -> None:
        self.needs_company = needs_company
        self.masked: list[Call] = []
        self.differentiated: list[Call] = []

    def loss(self, strengths: Tensor, conversations: Sequence[Conversation]) -> Tensor:
        """`(..., n)` for strengths `(..., n, H)`."""
        good = torch.tensor([index in PLANTED for index in LAYOUT])
        alone = 0.1 if self.needs_company else -0.3
        loss = strengths[..., ~good].sum(-1) * 0.2 + strengths[..., good].sum(-1) * alone
        if self.needs_company:
            share = strengths[..., good].sum(-1)
            loss = loss - 0.35 * share.square() / 3
        return loss + torch.tensor([3.0 + len(str(c.text)) for c in conversations])

    def mask_losses(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        vectors: HeadVectors,
        masks: Tensor,
        *,
        target_tokens: int | None = 1,
        among: tuple[str, ...] | None = None,
    ) -> Tensor:
        self.masked.append(Call(tuple(conversations), masks.clone(), target_tokens, among))
        wide = masks.float()[:, None].expand(-1, len(conversations), -1)
        return self.loss(wide, conversations)

    def head_effects(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        vectors: HeadVectors,
        strengths: Tensor | None = None,
        *,
        target_tokens: int | None = 1,
        among: tuple[str, ...] | None = None,
        progress: bool = False,
    ) -> HeadEffects:
        shape = len(conversations), LAYOUT.n_heads
        at = torch.zeros(shape) if strengths is None else strengths.expand(shape)
        self.differentiated.append(Call(tuple(conversations), at.clone(), target_tokens, among))
        at = at.clone().requires_grad_()
        losses = self.loss(at, conversations)
        [found] = torch.autograd.grad(losses.sum(), [at])
        return HeadEffects(found, losses.detach())

    def capture(self, *args: object, **options: object) -> Any:
        raise AssertionError("A search on ready vectors captures nothing.")

    token_logprobs = generate = truncate = capture


def task(n: int, **options: Any) -> SearchTask:
    """`n` prompts of different length with one target."""
    vectors = HeadActivations(
        LAYOUT, tuple(torch.zeros(1, e.n_heads, e.head_dim) for e in LAYOUT.layers)
    ).mean()
    prompts = tuple(Conversation.completion("x" * (number + 1)) for number in range(n))
    return SearchTask(prompts, ("Yes",) * n, vectors, **options)
