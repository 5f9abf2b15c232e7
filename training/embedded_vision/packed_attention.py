"""Attention of a packed row without computing what the block mask would throw away.

Exchanges do not see each other, so most of a row's square of attention is masked: a third of the
time of a step. Here each exchange attends to the shared beginning and to itself only, exchanges of
about the same length together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface

NAME = "headwise_packed"
# Longer exchanges (a graph in them) are each on their own, so that short ones need little padding.
_SHORT = 44
_NEVER = -1e4


@dataclass(frozen=True, slots=True)
class Plan:
    """How a row is taken apart.

    Args:
        shared: How many tokens all exchanges share.
        groups: Of exchanges that run together, the places of their tokens `(exchanges, length)`,
            padded by their last.
        order: For each token after the shared ones, its number among those of all groups.
    """

    shared: int
    groups: tuple[Tensor, ...]
    order: Tensor


def plan_of(segments: Sequence[int]) -> Plan | None:
    """The plan of a row.

    Args:
        segments: The segment of each token: 0 for shared ones, which come first.

    Returns:
        The plan; None if nothing is to be saved because all tokens are shared.
    """
    places: dict[int, list[int]] = {}
    for place, segment in enumerate(segments):
        places.setdefault(segment, []).append(place)
    shared = len(places.pop(0, []))
    if not places:
        return None
    short = [own for own in places.values() if len(own) <= _SHORT]
    groups = [*([short] if short else []), *([own] for own in places.values() if own not in short)]
    order, number, tables = [0] * (len(segments) - shared), 0, []
    for group in groups:
        length = max(len(own) for own in group)
        for own in group:
            for offset, place in enumerate(own):
                order[place - shared] = number + offset
            number += length
        tables.append(
            torch.tensor([[*own, *[own[-1]] * (length - len(own))] for own in group]).long()
        )
    return Plan(shared, tuple(tables), torch.tensor(order))


def packed_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    plan: Plan | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention as `transformers` calls it; `plan` takes the place of the mask for a single row.

    Args:
        module: The attention module.
        query: `(rows, heads, length, size)`.
        key: `(rows, key heads, length, size)`.
        value: Like the keys.
        attention_mask: What is added, where there is no plan.
        scaling: What scores are multiplied by.
        plan: How the row is taken apart.

    Returns:
        `(rows, length, heads, size)`, and no weights.
    """
    times = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)
    if plan is None:
        attended = F.scaled_dot_product_attention(query, key, value, attention_mask, scale=scaling)
        return attended.transpose(1, 2), None
    end = plan.shared
    first_key, first_value = key[:, :, :end], value[:, :, :end]
    parts = [_attended(query[:, :, :end], first_key, first_value, scaling)[0]]
    for places in plan.groups:
        count = places.shape[0]
        asked, own_key, own_value = (_taken(part, places) for part in (query, key, value))
        attended = _attended(
            asked,
            torch.cat([first_key.expand(count, -1, -1, -1), own_key], dim=2),
            torch.cat([first_value.expand(count, -1, -1, -1), own_value], dim=2),
            scaling,
        )
        parts.append(attended.transpose(0, 1).flatten(1, 2))
    rest = torch.cat(parts[1:], dim=1).index_select(1, plan.order)
    return torch.cat([parts[0], rest], dim=1).transpose(0, 1)[None], None


def _attended(query: Tensor, key: Tensor, value: Tensor, scaling: float | None) -> Tensor:
    """Causal attention of the last tokens to all; for small squares the fused kernel is slower."""
    length, seen = query.shape[2], key.shape[2]
    hidden = torch.ones(length, seen, dtype=torch.bool).tril(seen - length).logical_not()
    bias = torch.zeros(length, seen, dtype=query.dtype).masked_fill(hidden, _NEVER)
    scores = torch.baddbmm(
        bias.expand(query.shape[0] * query.shape[1], -1, -1),
        query.flatten(0, 1),
        key.flatten(0, 1).transpose(1, 2),
        alpha=scaling or query.shape[-1] ** -0.5,
    )
    attended: Tensor = torch.bmm(scores.softmax(-1), value.flatten(0, 1))
    return attended.view(query.shape)


def _taken(part: Tensor, places: Tensor) -> Tensor:
    """Tokens of a row, `(exchanges, heads, length, size)`."""
    taken: Tensor = part[0].index_select(1, places.flatten())
    split: Tensor = taken.unflatten(1, tuple(places.shape))
    return split.transpose(0, 1)


AttentionInterface.register(NAME, packed_attention)
