"""Finds out by trying whether a model's rows may lie behind one another."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from transformers import PreTrainedModel

from headwise.engines.transformers.batching import Request
from headwise.engines.transformers.forward import read_heads
from headwise.engines.transformers.frozen import FrozenModel, Packing
from headwise.engines.transformers.grouped_attention import attends_by_torch

_LENGTHS = (24, 9, 17)
_N_SHARED = 7
# Root mean square, as a share of a layer's own: rounding errs by 1e-6 in float32 and by 1e-2 in
# bfloat16, rows that see one another or are counted wrongly by 0.1 at least.
_ALLOWED = {torch.float32: 1e-3, torch.float64: 1e-3}
_ALLOWED_ROUNDED = 0.05


@torch.no_grad()
def packing_works(frozen: FrozenModel) -> bool:
    """Whether rows behind one another give what each gives alone, with and without a prefix.

    Args:
        frozen: The model. That its window is shorter than a row, a trial of few tokens does not
            show.

    Returns:
        Whether they do; False also where the model sees pictures, has another past than keys and
        values, or lets nobody choose its attention.
    """
    may_be_told = frozen.sight is None and attends_by_torch(frozen.model)
    if not may_be_told or not frozen.shares_prefixes:
        return False
    packed = replace(frozen, packing=Packing(lambda _: True))
    alone = replace(frozen, packing=Packing(lambda _: False))
    limit = _ALLOWED.get(frozen.model.dtype, _ALLOWED_ROUNDED)
    return all(_errs_by(packed, alone, rows) <= limit for rows in _trials(frozen))


def _trials(frozen: FrozenModel) -> list[list[Request]]:
    generator = torch.Generator().manual_seed(0)
    vocabulary = int(frozen.model.config.get_text_config(decoder=True).vocab_size)

    def drawn(n: int) -> tuple[int, ...]:
        return tuple(torch.randint(vocabulary, (n,), generator=generator).tolist())

    shared = drawn(_N_SHARED)
    apart = [Request.last_token(drawn(n)) for n in _LENGTHS]
    behind = [
        Request((*shared, *own), (_N_SHARED + len(own) - 1,), _N_SHARED)
        for own in map(drawn, _LENGTHS)
    ]
    return [apart, behind]


def _errs_by(packed: FrozenModel, alone: FrozenModel, rows: list[Request]) -> float:
    try:
        found = read_heads(packed, rows, None)
    except (RuntimeError, ValueError, TypeError, NotImplementedError):
        return math.inf
    apart = [read_heads(alone, [row], None) for row in rows]
    errors = []
    for number, layer in enumerate(found):
        expected = torch.cat([one[number] for one in apart])
        size = expected.square().mean().sqrt().clamp_min(1e-12)
        errors.append(float((layer - expected).square().mean().sqrt() / size))
    return max(errors) if all(map(math.isfinite, errors)) else math.inf


def shortest_window(model: PreTrainedModel) -> float:
    """Tokens that the layer which looks back least sees."""
    config = model.config.get_text_config(decoder=True)
    named = (getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size"))
    return min([float(n) for n in named if isinstance(n, int) and n > 0], default=math.inf)
