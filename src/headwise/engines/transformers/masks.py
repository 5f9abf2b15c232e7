"""Losses of many steered variants of one prompt, at the cost of one token.

Only the last prompt token (and the target tokens after it) is patched, so the keys and values of
everything before never change. They are computed once; the S variants then run as S parallel
queries over that one prefix: a step of S tokens at one position, each of which sees the prefix and
itself. Where a model cannot (sliding windows shorter than the prompt, ALiBi, kernels without free
masks), the variants run as a batch over the expanded prefix; where its past is no keys and values,
as whole sequences. The engine finds out by trying: see `strategy.StrategyChooser`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from headwise.engines.transformers.forward import FrozenModel
from headwise.engines.transformers.hooks import installed, mask_hooks
from headwise.engines.transformers.prefixes import PrefixStates, PrefixStore
from headwise.heads import HeadVectors

Strategy = Literal["parallel", "expanded", "whole"]


@dataclass(frozen=True, slots=True, eq=False)
class Variants:
    """One prompt and target under many masks.

    Args:
        ids: The prompt's tokens.
        target: The target's tokens, `m` of them.
        vectors: Replacement vectors for all heads.
        masks: `(S, H)` bool.
        rivals: The distinct tokens the target competes with, itself among them; empty for the
            whole vocabulary.
    """

    ids: tuple[int, ...]
    target: tuple[int, ...]
    vectors: HeadVectors
    masks: Tensor
    rivals: tuple[int, ...] = ()

    @property
    def suffix(self) -> tuple[int, ...]:
        """The tokens that are patched: the last of the prompt and those of the target but one."""
        return (self.ids[-1], *self.target[:-1])

    def part(self, start: int, count: int) -> Variants:
        """Some of the masks."""
        return replace(self, masks=self.masks[start : start + count])

    def losses(self, logits: Tensor) -> Tensor:
        """Mean loss of each variant from its `(S, m, vocabulary)` logits; `(S,)` float32 CPU."""
        target = torch.tensor(self.target, device=logits.device)
        if self.rivals:
            rivals = torch.tensor(self.rivals, device=logits.device)
            logits = logits[..., rivals]
            target = torch.tensor([self.rivals.index(t) for t in self.target], device=logits.device)
        losses = torch.nn.functional.cross_entropy(
            logits.float().transpose(1, 2), target.expand(len(logits), -1), reduction="none"
        )
        return losses.mean(dim=1).cpu()


@torch.no_grad()
def variant_losses(
    frozen: FrozenModel, store: PrefixStore, variants: Variants, strategy: Strategy
) -> Tensor:
    """Losses of one target under many masks.

    Args:
        frozen: The model.
        store: Where prefixes are kept.
        variants: The prompt, its target and the masks.
        strategy: How the variants are run.

    Returns:
        `(S,)` float32 CPU, each the mean over the target's tokens.
    """
    if not len(variants.masks):
        return torch.empty(0)
    whole = strategy == "whole" or len(variants.ids) < 2
    length = len(variants.ids) + len(variants.target) if whole else len(variants.target)
    rows = max(1, frozen.token_budget // length)
    parts = [variants.part(start, rows) for start in range(0, len(variants.masks), rows)]
    if whole:
        return torch.cat([_whole_sequences(frozen, part) for part in parts])
    prefix = store.get(variants.ids[:-1])
    run = _parallel_queries if strategy == "parallel" else _expanded_batch
    return torch.cat([run(frozen, prefix, part) for part in parts])


def _parallel_queries(frozen: FrozenModel, prefix: PrefixStates, variants: Variants) -> Tensor:
    device, n, m = frozen.model.device, len(variants.masks), len(variants.suffix)
    input_ids = torch.tensor([variants.suffix * n], device=device)
    positions = torch.arange(prefix.length, prefix.length + m, device=device).repeat(n)[None]
    visible = _visibility(prefix.length, n, m, device)
    blocked = torch.zeros(visible.shape, dtype=frozen.model.dtype, device=device)
    blocked = blocked.masked_fill(~visible, torch.finfo(frozen.model.dtype).min)
    by_token = variants.masks.repeat_interleave(m, dim=0)[None]
    with installed(mask_hooks(variants.vectors, frozen.located, by_token)):
        output = frozen.model(
            input_ids=input_ids,
            position_ids=positions,
            attention_mask=blocked[None, None],
            past_key_values=prefix.cache(),
            use_cache=True,
        )
    return variants.losses(output.logits[0].view(n, m, -1))


def _visibility(length: int, n: int, m: int, device: torch.device) -> Tensor:
    """`(n*m, length + n*m)` bool: each token sees the prefix, itself and its variant's earlier."""
    causal = torch.ones(m, m, dtype=torch.bool, device=device).tril()
    own = torch.kron(torch.eye(n, dtype=torch.bool, device=device), causal)
    return torch.cat([own.new_ones(n * m, length), own], dim=1)


def _expanded_batch(frozen: FrozenModel, prefix: PrefixStates, variants: Variants) -> Tensor:
    n, m = len(variants.masks), len(variants.suffix)
    input_ids = torch.tensor([variants.suffix] * n, device=frozen.model.device)
    by_token = variants.masks[:, None, :].expand(n, m, -1)
    with installed(mask_hooks(variants.vectors, frozen.located, by_token)):
        output = frozen.model(input_ids=input_ids, past_key_values=prefix.cache(n), use_cache=True)
    return variants.losses(output.logits)


def _whole_sequences(frozen: FrozenModel, variants: Variants) -> Tensor:
    sequence, n = (*variants.ids[:-1], *variants.suffix), len(variants.masks)
    m = len(variants.suffix)
    input_ids = torch.tensor([sequence] * n, device=frozen.model.device)
    by_token = torch.zeros(n, len(sequence), variants.masks.shape[1], dtype=torch.bool)
    by_token[:, -m:] = variants.masks[:, None, :]
    with installed(mask_hooks(variants.vectors, frozen.located, by_token)):
        output = frozen.model(input_ids=input_ids, use_cache=False, logits_to_keep=m)
    return variants.losses(output.logits)
