"""First-order effects of heads: what replacing each would do to the loss, from one backward pass.

The only place where gradients are on. Only the last prompt token (and the target tokens after it)
is patched, so both passes run these tokens alone, behind a prefix that is kept; no parameter is
asked for a gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from headwise.engines.base import HeadEffects
from headwise.engines.transformers.batching import TokenIds
from headwise.engines.transformers.frozen import FrozenModel
from headwise.engines.transformers.hooks import PreHook, installed
from headwise.engines.transformers.locate import LocatedLayer
from headwise.engines.transformers.masks import Strategy, Variants, hidden_elsewhere
from headwise.engines.transformers.pictures import true_ids
from headwise.engines.transformers.prefix_store import PrefixStore
from headwise.engines.transformers.prefixes import side_by_side
from headwise.engines.transformers.rival_logits import only_these_tokens


@dataclass(frozen=True, slots=True, eq=False)
class _Dial:
    """How far a layer's heads are replaced: the leaf that the loss is differentiated by.

    Args:
        entry: The layer.
        vectors: What its heads are replaced by, `(n_heads, head_dim)`.
        strengths: `(rows, n_heads)`: 0 leaves a head as it is, 1 replaces it.
    """

    entry: LocatedLayer
    vectors: Tensor
    strengths: Tensor

    def hook(self, last: int) -> PreHook:
        """Turns the last tokens of every row so far towards the vectors."""

        def hook(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            inputs = args[0]
            by_head = inputs.view(*inputs.shape[:-1], self.entry.n_heads, self.entry.head_dim)
            before, patched = by_head[:, :-last], by_head[:, -last:]
            put = self.vectors.to(inputs.device, inputs.dtype)
            strengths = self.strengths.to(inputs.device, inputs.dtype)[:, None, :, None]
            edited = torch.cat([before, patched + strengths * (put - patched)], dim=1)
            return (edited.reshape_as(inputs), *args[1:])

        return hook


def head_effects(
    frozen: FrozenModel,
    store: PrefixStore,
    batch: Sequence[Variants],
    strengths: Tensor,
    strategy: Strategy,
) -> HeadEffects:
    """The derivative of each prompt's loss by how far each head is replaced.

    Args:
        frozen: The model.
        store: Where prefixes are kept.
        batch: Prompts and targets of equally many tokens; their masks are not looked at.
        strengths: `(len(batch), H)` float32, where the derivative is taken.
        strategy: How the prompts run: together where it is one of the first two.

    Returns:
        The derivatives and the losses, on the CPU.
    """
    together = strategy in ("grouped", "parallel") and all(one.has_prefix for one in batch)
    if len(batch) > 1 and not together:
        parts = [
            head_effects(frozen, store, [one], row[None], strategy)
            for one, row in zip(batch, strengths, strict=True)
        ]
        return HeadEffects(
            torch.cat([part.effects for part in parts]), torch.cat([part.losses for part in parts])
        )
    sizes = [entry.n_heads for entry in frozen.located]
    dials = [
        _Dial(entry, vectors, part.detach().clone().requires_grad_())
        for entry, vectors, part in zip(
            frozen.located, batch[0].vectors.values, strengths.split(sizes, dim=1), strict=True
        )
    ]
    with torch.no_grad():
        inputs, seen = _inputs(frozen, store, batch, strategy)
    last = len(batch[0].suffix)
    rivals = tuple(dict.fromkeys(token for one in batch for token in one.rivals))
    with (
        frozen.showing(seen),
        torch.enable_grad(),
        installed({dial.entry.projection: dial.hook(last) for dial in dials}),
        only_these_tokens(frozen.output_embedding, rivals) as tokens,
    ):
        logits: Tensor = frozen.model(**inputs).logits[:, -last:]
        rows = zip(batch, logits[:, None], strict=True)
        losses = torch.cat([one.losses(row, tokens) for one, row in rows])
        found = torch.autograd.grad(
            losses.sum(), [dial.strengths for dial in dials], materialize_grads=True
        )
    return HeadEffects(torch.cat(found, dim=1).cpu(), losses.detach().cpu())


def _inputs(
    frozen: FrozenModel, store: PrefixStore, batch: Sequence[Variants], strategy: Strategy
) -> tuple[dict[str, Any], list[TokenIds]]:
    """What the model is called with, and the rows that may show pictures.

    The last tokens are the patched ones.
    """
    device, first = frozen.model.device, batch[0]
    if strategy == "whole" or not first.has_prefix:
        whole = (*first.ids[:-1], *first.suffix)
        input_ids = torch.tensor([true_ids(whole)], device=device)
        beside = frozen.beside([whole], [len(first.ids)])
        return {"input_ids": input_ids, "use_cache": False, **beside}, [whole]
    prefixes = store.get([one.ids[:-1] for one in batch], 0)
    input_ids = torch.tensor([one.suffix for one in batch], device=device)
    inputs = {"input_ids": input_ids, "use_cache": True}
    if strategy == "expanded":
        # A plain step behind a prefix: the model counts positions and hides nothing by itself.
        beside = frozen.beside_steps(first.ids, 1, len(first.suffix))
        return {**inputs, "past_key_values": prefixes[0].expanded_cache(1), **beside}, []
    joined = prefixes[0] if len(prefixes) == 1 else side_by_side(prefixes, 0)
    lengths, m = [prefix.length for prefix in prefixes], len(first.suffix)
    return {
        **inputs,
        "position_ids": frozen.steps_after([one.ids for one in batch], m),
        "attention_mask": hidden_elsewhere(frozen, lengths, joined.length, 1, m),
        # This cache grows by new tensors: gradients must not reach the memory that is kept.
        "past_key_values": joined.expanded_cache(len(batch)),
    }, []
