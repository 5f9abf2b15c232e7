"""The floor: plain forward passes of the same tokens, with nothing read and nothing steered."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from headwise.engines.transformers.batching import Request, pack, sharing_groups


def plain_batches(
    prompts: Sequence[Sequence[int]], token_budget: int, pad_id: int, device: torch.device
) -> tuple[Tensor, ...]:
    """The batches in which headwise runs prompts that share no prefix.

    Args:
        prompts: Token sequences.
        token_budget: Padded tokens a batch may have.
        pad_id: What padding is filled with.
        device: Where the batches go.

    Returns:
        `(rows, tokens)` int64 batches.
    """
    requests = [Request.last_token(ids) for ids in prompts]
    return tuple(
        batch.input_ids.to(device)
        for group in sharing_groups(requests, share=False)
        for batch in pack(requests, group, token_budget=token_budget, pad_id=pad_id)
    )


@torch.no_grad()
def base_passes(model: PreTrainedModel, batches: Sequence[Tensor]) -> None:
    """Runs batches through the model without its vocabulary."""
    for input_ids in batches:
        model.base_model(input_ids=input_ids, use_cache=False)


@torch.no_grad()
def full_passes(model: PreTrainedModel, batches: Sequence[Tensor]) -> None:
    """Runs batches through the model, logits at every position."""
    for input_ids in batches:
        model(input_ids=input_ids, use_cache=False)
