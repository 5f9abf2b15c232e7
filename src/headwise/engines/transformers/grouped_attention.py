"""Attention that reads shared keys and values where they are, and never tells which batch it is in.

transformers copies them once for each query head as soon as there is a mask, and a step of
parallel queries always has one: with a long prefix that copy costs more than the attention.

And torch's CPU kernel rounds a row by how long its batch is: see `attend_in_tiles`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

_NAME = "headwise_grouped"
_OWN_MASKS = "headwise_sdpa"
# Whole vectors and blocks for every width of registers that CPUs have.
_TILE = 32
UNSUPPORTED = ("s_aux", "softcap", "position_bias")
"""What some architectures add to attention, and ours does not have."""


@contextmanager
def grouped_attention(model: PreTrainedModel) -> Iterator[None]:
    """Has a model attend by `masked_attention` while the block runs.

    A model that chooses its attention otherwise than by its configuration goes on as before.

    Args:
        model: The model; each call needs a mask of its own.

    Yields:
        Nothing.
    """
    config = model.config.get_text_config(decoder=True)
    if config.sub_configs:  # Setting it would reach those as well.
        yield
        return
    AttentionInterface.register(_NAME, masked_attention)
    with attending_by(model, _NAME):
        yield


@contextmanager
def grouped_sdpa(model: PreTrainedModel) -> Iterator[None]:
    """Has a model that attends by torch's CPU kernel do so without copies, while the block runs.

    In float32 a row then also gets the same bits in every batch. Masks stay those that the model
    makes itself. Where it attends otherwise, or elsewhere, nothing changes.

    Args:
        model: The model.

    Yields:
        Nothing.
    """
    if not attends_by_torch(model):
        yield
        return
    AttentionInterface.register(_OWN_MASKS, _sdpa_attention)
    AttentionMaskInterface.register(_OWN_MASKS, sdpa_mask)
    with attending_by(model, _OWN_MASKS):
        yield


def attends_by_torch(model: PreTrainedModel) -> bool:
    """Whether a model attends by torch's CPU kernel, and would attend otherwise if asked to."""
    config = model.config.get_text_config(decoder=True)
    usual = config._attn_implementation == "sdpa" and model.device.type == "cpu"
    # Older architectures choose their code by this name themselves, and know no other.
    by_interface = bool(getattr(model, "_supports_attention_backend", False))
    return usual and by_interface and not config.sub_configs


@contextmanager
def attending_by(model: PreTrainedModel, name: str) -> Iterator[None]:
    """Has a model attend by what is registered under a name, while the block runs.

    Args:
        model: The model.
        name: The name, known to `AttentionInterface` and `AttentionMaskInterface`.

    Yields:
        Nothing.
    """
    config = model.config.get_text_config(decoder=True)
    own = config._attn_implementation
    config._attn_implementation = name
    try:
        yield
    finally:
        config._attn_implementation = own


def _sdpa_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    known = others.get("position_bias") is None and others.get("cache") is None
    if known and query.dtype == torch.float32 and _fits(attention_mask, key):
        by_own = others.get("is_causal")
        causal = bool(getattr(module, "is_causal", True) if by_own is None else by_own)
        attended = attend_in_tiles(query, key, value, attention_mask, scaling, causal=causal)
    elif attention_mask is None or query.shape[1] == key.shape[1] or not known:
        output: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **others
        )
        return output
    else:
        attended = _grouped(query, key, value, attention_mask, scaling)
    return attended.transpose(1, 2).contiguous(), None


def _fits(mask: Tensor | None, key: Tensor) -> bool:
    return mask is None or (mask.ndim == 4 and mask.shape[-1] == key.shape[2])


def attend_in_tiles(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scaling: float | None,
    *,
    causal: bool,
) -> Tensor:
    """Attention of which each row is the same to the bit, however long its batch and its prefix.

    The kernel sums the exponentials that fill whole vectors in one way and the rest in another,
    with another exponential; and its products of few rows take other code. So a row's rounding
    hangs on the length of the longest row beside it: 1e-7 there, and 5e-5 in a reward after thirty
    layers. Filled up to whole tiles, with what nothing looks at, there is no rest.

    Args:
        query: See `masked_attention`.
        key: See `masked_attention`.
        value: See `masked_attention`.
        mask: True, or 0, where a query looks; None for what `causal` says.
        scaling: Factor on the scores.
        causal: Whether a query looks at no later key, where there is no mask.

    Returns:
        `(rows, heads, q, value_dim)`.
    """
    n, t = query.shape[2], key.shape[2]
    more_n, more_t = -n % _TILE, -t % _TILE
    causal = causal and mask is None and n > 1
    if mask is None and not causal:
        mask = torch.ones(1, 1, n, t, dtype=torch.bool, device=query.device)
    if mask is not None:
        nothing = False if mask.dtype == torch.bool else torch.finfo(mask.dtype).min
        mask = pad(mask, (0, more_t, 0, more_n), value=nothing)
    attended = torch.nn.functional.scaled_dot_product_attention(
        pad(query, (0, 0, 0, more_n)),
        pad(key, (0, 0, 0, more_t)),
        pad(value, (0, 0, 0, more_t)),
        mask,
        is_causal=causal,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return attended[:, :, :n]


def masked_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention in the form that transformers calls.

    Args:
        module: The attention module.
        query: `(rows, heads, q, head_dim)`.
        key: `(rows, kv_heads, t, head_dim)`.
        value: `(rows, kv_heads, t, value_dim)`.
        attention_mask: `(rows or 1, 1, q, t)`, added to the scores.
        scaling: Factor on the scores.
        others: What else the architecture passes.

    Returns:
        `(rows, q, heads, value_dim)`, and no weights.

    Raises:
        NotImplementedError: There is no mask, or the architecture adds something of its own.
    """
    added = [name for name in UNSUPPORTED if others.get(name) is not None]
    if attention_mask is None or attention_mask.ndim != 4 or added:
        raise NotImplementedError(f"Grouped attention needs a mask and no {added}.")
    # The CPU's kernel knows groups; a GPU's, with a mask, does not.
    attend = _grouped if query.device.type == "cpu" else folded_attention
    output = attend(query, key, value, attention_mask, scaling)
    return output.transpose(1, 2).contiguous(), None


def _grouped(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float | None
) -> Tensor:
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, mask, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
    )


def folded_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float | None
) -> Tensor:
    """Attention with the heads of a group as further queries of one head.

    Args:
        query: See `masked_attention`.
        key: See `masked_attention`.
        value: See `masked_attention`.
        mask: See `masked_attention`.
        scaling: See `masked_attention`.

    Returns:
        `(rows, heads, q, value_dim)`.
    """
    rows, heads, q, width = query.shape
    groups = heads // key.shape[1]
    output = torch.nn.functional.scaled_dot_product_attention(
        query.reshape(rows, key.shape[1], groups * q, width),
        key,
        value,
        mask.repeat(1, 1, groups, 1),
        scale=scaling,
    )
    return output.reshape(rows, heads, q, value.shape[-1])
