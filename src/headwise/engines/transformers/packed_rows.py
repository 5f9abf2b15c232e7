"""Rows behind one another in one long row, so that nothing but attention is run on padding.

A batch of rows of unlike length is mostly linear maps of padding: of thirty prompts that a server
has at hand, a fifth. Behind one another, with positions that begin anew, every token is run once;
only attention sees the rows apart, each behind the prefix that all share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from headwise.engines.transformers.grouped_attention import (
    UNSUPPORTED,
    attend_in_tiles,
    attending_by,
)

_NAME = "headwise_packed"


@dataclass(frozen=True, slots=True, eq=False)
class PackedRows:
    """Where rows are that lie behind one another, `T` tokens together.

    Args:
        places: `(rows, longest)` int64, where each token of each row is; 0 behind a row's end.
        row_of: `(T,)` int64, the row of each token.
        column_of: `(T,)` int64, its place in its row.
    """

    places: Tensor
    row_of: Tensor
    column_of: Tensor

    @classmethod
    def of(cls, lengths: Sequence[int]) -> PackedRows:
        """Rows of these lengths, in order."""
        sizes = torch.tensor(lengths)
        starts = sizes.cumsum(0) - sizes
        columns = torch.arange(int(sizes.max()))
        places = torch.where(columns < sizes[:, None], starts[:, None] + columns, 0)
        row_of = torch.arange(len(lengths)).repeat_interleave(sizes)
        column_of = torch.arange(int(sizes.sum())) - starts[row_of]
        return cls(places, row_of, column_of)

    def positions(self, start: int) -> Tensor:
        """`(1, T)`: each token's position, where rows begin behind `start` tokens."""
        return (self.column_of + start)[None]


_ROWS: ContextVar[PackedRows] = ContextVar("packed rows")


@contextmanager
def packed_attention(model: PreTrainedModel, rows: PackedRows) -> Iterator[None]:
    """Has a model attend within each of some packed rows while the block runs.

    Args:
        model: A model that attends by torch's CPU kernel, causally over all that came before.
        rows: Where its rows are.

    Yields:
        Nothing.
    """
    AttentionInterface.register(_NAME, _attend_apart)
    AttentionMaskInterface.register(_NAME, _no_mask)
    token = _ROWS.set(rows)
    try:
        with attending_by(model, _NAME):
            yield
    finally:
        _ROWS.reset(token)


def _no_mask(*given: Any, **named: Any) -> None:
    """What is seen of what is known to the attention alone."""


def _attend_apart(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    rows = _ROWS.get()
    added = [name for name in (*UNSUPPORTED, "cache") if others.get(name) is not None]
    if len(query) != 1 or attention_mask is not None or added or others.get("is_causal") is False:
        raise NotImplementedError(f"Packed rows attend causally, without a mask or {added}.")
    n_before = key.shape[2] - query.shape[2]
    queries = _apart(query, rows)
    keys, values = _apart(key[:, :, n_before:], rows), _apart(value[:, :, n_before:], rows)
    mask = None
    if n_before:
        longest = rows.places.shape[1]
        keys, values = _behind(key[:, :, :n_before], keys), _behind(value[:, :, :n_before], values)
        seen = torch.ones(longest, n_before + longest, dtype=torch.bool)
        mask = seen.tril(n_before)[None, None]
    attended = attend_in_tiles(queries, keys, values, mask, scaling, causal=True)
    return attended.transpose(1, 2)[rows.row_of, rows.column_of][None], None


def _apart(packed: Tensor, rows: PackedRows) -> Tensor:
    """`(rows, heads, longest, width)` of `(1, heads, T, width)`; behind a row's end any token."""
    return packed[0][:, rows.places].transpose(0, 1)


def _behind(prefix: Tensor, own: Tensor) -> Tensor:
    """Each row's own keys or values behind those of the prefix, `(1, heads, n, width)`."""
    return torch.cat([prefix.expand(len(own), -1, -1, -1), own], dim=2)
