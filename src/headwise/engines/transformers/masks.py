"""Losses of many steered variants of prompts, at the cost of one token each.

Only the last prompt token (and the target tokens after it) is patched, so the keys and values of
everything before never change. They are computed once; the S variants then run as S parallel
queries over that one prefix: a step of S tokens at one position, each of which sees the prefix and
itself. Where a model cannot (sliding windows shorter than the prompt, ALiBi, kernels without free
masks), the variants run as a batch over the expanded prefix; where its past is no keys and values,
as whole sequences. The engine finds out by trying: see `strategy.StrategyChooser`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from headwise.engines.transformers.frozen import FrozenModel
from headwise.engines.transformers.grouped_attention import grouped_attention
from headwise.engines.transformers.hooks import installed, mask_hooks
from headwise.engines.transformers.pictures import ends_in_picture, true_ids
from headwise.engines.transformers.prefix_store import PrefixStore
from headwise.engines.transformers.prefixes import PrefixStates, side_by_side
from headwise.engines.transformers.rival_logits import only_these_tokens
from headwise.heads import HeadVectors

Strategy = Literal["grouped", "parallel", "expanded", "whole"]


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
    def has_prefix(self) -> bool:
        """Whether what comes before the patched tokens can be run on its own."""
        return len(self.ids) > 1 and not ends_in_picture(self.ids)

    @property
    def suffix(self) -> tuple[int, ...]:
        """The tokens that are patched: the last of the prompt and those of the target but one."""
        return (self.ids[-1], *self.target[:-1])

    def part(self, start: int, count: int) -> Variants:
        """Some of the masks."""
        return replace(self, masks=self.masks[start : start + count])

    def losses(self, logits: Tensor, tokens: tuple[int, ...]) -> Tensor:
        """Mean loss of each variant, `(S,)` float32.

        Args:
            logits: `(S, m, tokens)`.
            tokens: The tokens the logits stand for; empty for the whole vocabulary.
        """
        target = list(self.target)
        if self.rivals:
            places = [tokens.index(r) for r in self.rivals] if tokens else list(self.rivals)
            logits = logits[..., places]
            target = [self.rivals.index(token) for token in target]
        wanted = torch.tensor(target, device=logits.device).repeat(len(logits))
        # Flat rows: over any other dimension than the last the vocabulary is read with strides.
        flat = logits.reshape(len(wanted), -1).float()
        losses = torch.nn.functional.cross_entropy(flat, wanted, reduction="none")
        return losses.view(len(logits), -1).mean(dim=1)


@torch.no_grad()
def variant_losses(
    frozen: FrozenModel, store: PrefixStore, batch: Sequence[Variants], strategy: Strategy
) -> Tensor:
    """Losses of targets under many masks.

    Args:
        frozen: The model.
        store: Where prefixes are kept.
        batch: Prompts, their targets (of equally many tokens) and masks, the same for all.
        strategy: How the variants are run.

    Returns:
        `(S, len(batch))` float32 CPU, each the mean over the target's tokens.
    """
    if strategy in ("grouped", "parallel") and all(one.has_prefix for one in batch):
        prefixes = _joined_prefixes(store, batch)
        return _parallel_queries(frozen, prefixes, batch, grouped=strategy == "grouped").cpu()
    columns = [
        _expanded_batch(frozen, store, one)
        if strategy != "whole" and one.has_prefix
        else _whole_sequences(frozen, one)
        for one in batch
    ]
    return torch.stack(columns, dim=1).cpu()


def _joined_prefixes(store: PrefixStore, batch: Sequence[Variants]) -> PrefixStates:
    room = len(batch[0].masks) * len(batch[0].suffix)
    prefixes = store.get([one.ids[:-1] for one in batch], room)
    return prefixes[0] if len(prefixes) == 1 else side_by_side(prefixes, room)


def _parallel_queries(
    frozen: FrozenModel, prefix: PrefixStates, batch: Sequence[Variants], *, grouped: bool
) -> Tensor:
    device = frozen.model.device
    masks, n, m = batch[0].masks, len(batch[0].masks), len(batch[0].suffix)
    lengths = [len(one.ids) - 1 for one in batch]
    input_ids = torch.tensor([one.suffix * n for one in batch], device=device)
    positions = frozen.steps_after([one.ids for one in batch], m)
    blocked = hidden_elsewhere(frozen, lengths, prefix.length, n, m)
    by_token = masks.repeat_interleave(m, dim=0)[None]
    rivals = tuple(dict.fromkeys(token for one in batch for token in one.rivals))
    with ExitStack() as stack:
        if grouped:
            stack.enter_context(grouped_attention(frozen.model))
        stack.enter_context(frozen.showing([]))
        stack.enter_context(installed(mask_hooks(batch[0].vectors, frozen.located, by_token)))
        tokens = stack.enter_context(only_these_tokens(frozen.output_embedding, rivals))
        logits: Tensor = frozen.model(
            input_ids=input_ids,
            position_ids=positions.repeat(*[1] * (positions.ndim - 1), n),
            attention_mask=blocked,
            past_key_values=prefix.tail_cache(),
            use_cache=True,
        ).logits
    rows = logits.view(len(batch), n, m, -1)
    columns = [one.losses(row, tokens) for one, row in zip(batch, rows, strict=True)]
    return torch.stack(columns, dim=1)


def hidden_elsewhere(
    frozen: FrozenModel, lengths: Sequence[int], longest: int, n: int, m: int
) -> Tensor:
    """The attention mask of a step of parallel queries.

    Args:
        frozen: The model.
        lengths: Tokens of each row's prefix.
        longest: Tokens that the prefixes are padded to.
        n: Variants.
        m: Tokens of each.

    Returns:
        `(rows, 1, n*m, longest + n*m)`: 0 where a token looks, the dtype's minimum elsewhere; one
        row for all where no prefix is padded.
    """
    device = frozen.model.device
    visible = _visibility(longest, n, m, device)[None]
    if min(lengths) < longest:
        columns = torch.arange(longest + n * m, device=device)
        ends = torch.tensor(lengths, device=device)[:, None]
        visible = visible & ((columns < ends) | (columns >= longest))[:, None]
    return blocking(visible, frozen.model.dtype)


def blocking(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """An attention mask of what tokens see.

    Args:
        visible: `(rows, queries, keys)` bool.
        dtype: The model's.

    Returns:
        `(rows, 1, queries, keys)`: 0 where a token looks, the dtype's minimum elsewhere.
    """
    blocked = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return blocked.masked_fill(~visible, torch.finfo(dtype).min)[:, None]


def _visibility(length: int, n: int, m: int, device: torch.device) -> Tensor:
    """`(n*m, length + n*m)` bool: each token sees the prefix, itself and its variant's earlier."""
    causal = torch.ones(m, m, dtype=torch.bool, device=device).tril()
    own = torch.kron(torch.eye(n, dtype=torch.bool, device=device), causal)
    return torch.cat([own.new_ones(n * m, length), own], dim=1)


def _expanded_batch(frozen: FrozenModel, store: PrefixStore, variants: Variants) -> Tensor:
    [prefix] = store.get([variants.ids[:-1]], 0)
    n, m = len(variants.masks), len(variants.suffix)
    input_ids = torch.tensor([variants.suffix] * n, device=frozen.model.device)
    beside = frozen.beside_steps(variants.ids, n, m)
    by_token = variants.masks[:, None, :].expand(n, m, -1)
    with (
        frozen.showing([]),
        installed(mask_hooks(variants.vectors, frozen.located, by_token)),
        only_these_tokens(frozen.output_embedding, variants.rivals) as tokens,
    ):
        cache = prefix.expanded_cache(n)
        output = frozen.model(input_ids=input_ids, past_key_values=cache, use_cache=True, **beside)
    return variants.losses(output.logits, tokens)


def _whole_sequences(frozen: FrozenModel, variants: Variants) -> Tensor:
    sequence, n = (*variants.ids[:-1], *variants.suffix), len(variants.masks)
    m = len(variants.suffix)
    input_ids = torch.tensor([true_ids(sequence)] * n, device=frozen.model.device)
    beside = frozen.beside([sequence] * n, [len(variants.ids)] * n)
    by_token = torch.zeros(n, len(sequence), variants.masks.shape[1], dtype=torch.bool)
    by_token[:, -m:] = variants.masks[:, None, :]
    with (
        frozen.showing([sequence] * n),
        installed(mask_hooks(variants.vectors, frozen.located, by_token)),
        only_these_tokens(frozen.output_embedding, variants.rivals) as tokens,
    ):
        output = frozen.model(input_ids=input_ids, use_cache=False, logits_to_keep=m, **beside)
    return variants.losses(output.logits, tokens)
