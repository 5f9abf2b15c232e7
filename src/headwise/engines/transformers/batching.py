"""Packs token sequences into batches that share what they have in common.

Sequences are padded on the right: a causal model never looks right, so no padding mask is needed
and a batch gives each row what it would get alone. Where sequences begin with the same tokens (a
system prompt, an instruction, the same dialogue under several responses), that prefix is run once
and its keys and values serve them all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from headwise.engines.transformers.hooks import TokenPositions
from headwise.engines.transformers.packed_rows import PackedRows
from headwise.engines.transformers.pictures import before_cut_picture, true_ids

TokenIds = tuple[int, ...]

# A prefix run costs a pass of its own; below this many tokens saved it does not pay.
MIN_TOKENS_SAVED = 256


@dataclass(frozen=True, slots=True)
class Request:
    """One sequence and the positions of it that matter.

    Args:
        ids: Its tokens.
        spots: Positions whose outputs are read, ascending; the last is the last token.
        n_beginning: How many of its first tokens, before the first spot, all sequences of its
            template begin with; 0 where it has none.
    """

    ids: TokenIds
    spots: tuple[int, ...]
    n_beginning: int = 0

    @classmethod
    def last_token(cls, ids: Sequence[int], like: Sequence[int] = ()) -> Request:
        """A sequence of which only the last token is read.

        Args:
            ids: Its tokens.
            like: Those of another sequence of its template; empty where it has none.

        Returns:
            The request.
        """
        last = len(ids) - 1
        n_beginning = min(last, common_prefix_length(ids, like))
        return cls(tuple(ids), (last,), before_cut_picture(ids, n_beginning))


@dataclass(frozen=True, slots=True)
class SharingGroup:
    """Requests that begin with the same tokens.

    Args:
        prefix: The tokens they share that are run once; empty where sharing does not pay.
        rows: Their numbers.
        n_common: How many of the first of these tokens other groups begin with as well, so that
            they are run once for all of them; 0 where that does not pay.
    """

    prefix: TokenIds
    rows: tuple[int, ...]
    n_common: int = 0

    @property
    def common(self) -> TokenIds:
        """The tokens that other groups begin with as well."""
        return self.prefix[: self.n_common]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that run together.

    Args:
        rows: Their request numbers.
        ids: Their tokens, without the group's prefix.
        input_ids: `(len(rows), t)` int64, what the model is given for them, padded on the right; or
            `(1, t)`, where they lie behind one another.
        spots: The rows' positions of interest, in row order, relative to `input_ids`.
        packed: Where the rows are that lie behind one another; None where each is a row.
    """

    rows: tuple[int, ...]
    ids: tuple[TokenIds, ...]
    input_ids: Tensor
    spots: TokenPositions
    packed: PackedRows | None = None


def common_prefix_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of leading tokens two sequences share."""
    limit = min(len(first), len(second))
    for position in range(limit):
        if first[position] != second[position]:
            return position
    return limit


def sharing_groups(
    requests: Sequence[Request], *, share: bool, least_saved: int = MIN_TOKENS_SAVED
) -> list[SharingGroup]:
    """Splits requests into groups whose shared prefix is worth running once.

    A group is a run of the sorted requests: sorted, every request is next to the one with which it
    shares most.

    Args:
        requests: The requests.
        share: False puts all into one group without prefix.
        least_saved: Tokens that a group of its own must save.

    Returns:
        Groups that together hold every request once.
    """
    everyone = tuple(range(len(requests)))
    if not share or len(requests) < 2:
        return [SharingGroup((), everyone)]
    order = sorted(everyone, key=lambda row: requests[row].ids)
    shared = [_shareable(requests[a], requests[b]) for a, b in pairwise(order)]
    return _split(requests, order, shared, least_saved)


def _shareable(first: Request, second: Request) -> int:
    # The positions that are read (and steered) must be run for each request itself.
    length = common_prefix_length(first.ids, second.ids)
    return before_cut_picture(first.ids, min(length, first.spots[0], second.spots[0]))


def _split(
    requests: Sequence[Request], order: list[int], shared: list[int], least_saved: int
) -> list[SharingGroup]:
    """Greedy: a group grows while its next member saves more tokens inside than outside."""
    everyone = min(shared)
    groups: list[SharingGroup] = []
    loose: list[int] = []
    start = 0
    while start < len(order):
        end, prefix = _grow(shared, start, everyone)
        members = order[start:end]
        saved = (len(members) - 1) * (prefix - everyone)
        if saved >= least_saved and len(members) < len(order):
            groups.append(SharingGroup(requests[members[0]].ids[:prefix], tuple(members)))
        else:
            loose.extend(members)
        start = end
    if loose:
        saved = (len(loose) - 1) * everyone
        prefix = everyone if saved >= MIN_TOKENS_SAVED else 0
        groups.append(SharingGroup(requests[loose[0]].ids[:prefix], tuple(sorted(loose))))
    if (sum(bool(group.prefix) for group in groups) - 1) * everyone < MIN_TOKENS_SAVED:
        return groups
    return [replace(group, n_common=everyone) if group.prefix else group for group in groups]


def _grow(shared: list[int], start: int, everyone: int) -> tuple[int, int]:
    """The run from `start` that saves most: its end and the prefix it shares."""
    best_end, best_prefix, best_saved = start + 1, everyone, 0
    prefix = None
    for end in range(start + 1, len(shared) + 1):
        link = shared[end - 1]
        prefix = link if prefix is None else min(prefix, link)
        if prefix <= everyone:
            break
        saved = (end - start) * (prefix - everyone)
        if saved > best_saved:
            best_end, best_prefix, best_saved = end + 1, prefix, saved
    return best_end, best_prefix


def pack(
    requests: Sequence[Request],
    group: SharingGroup,
    *,
    token_budget: int,
    pad_id: int,
    call_tokens: int = 0,
) -> list[Batch]:
    """Packs a group's requests into batches of similar length, so that all together take least.

    Args:
        requests: All requests.
        group: Which of them, and what they share.
        token_budget: Padded tokens a batch may have, the shared prefix not counted.
        pad_id: What padding is filled with.
        call_tokens: What a call of the model costs beside its tokens, in tokens.

    Returns:
        Batches, the largest first, so that memory runs out at once or never.
    """
    skip = len(group.prefix)
    rows, lengths = _longest_first(requests, group)
    batches = [
        _batch(requests, rows[start:end], skip, lengths[start], pad_id)
        for start, end in pairwise(_cuts(lengths, token_budget, call_tokens))
    ]
    return sorted(batches, key=lambda batch: -batch.input_ids.numel())


def _longest_first(requests: Sequence[Request], group: SharingGroup) -> tuple[list[int], list[int]]:
    """A group's rows, and how many tokens each has behind the group's prefix."""
    rows = sorted(group.rows, key=lambda row: -len(requests[row].ids))
    return rows, [len(requests[row].ids) - len(group.prefix) for row in rows]


def _cuts(lengths: Sequence[int], token_budget: int, call_tokens: int) -> list[int]:
    """Where to cut rows, longest first, for the fewest tokens with padding and calls counted."""
    n = len(lengths)
    # What the rows from each one on take at least, and where their first batch then ends.
    least, ends = np.zeros(n + 1), np.zeros(n, dtype=np.int64)
    for start in reversed(range(n)):
        fit = min(n - start, max(1, token_budget // lengths[start]))
        sizes = np.arange(1, fit + 1)
        costs = least[start + 1 : start + 1 + fit] + lengths[start] * sizes
        best = fit - 1 - int(np.argmin(costs[::-1]))  # Of equally good ones the fullest.
        least[start], ends[start] = costs[best] + call_tokens, start + 1 + best
    cuts = [0]
    while cuts[-1] < n:
        cuts.append(int(ends[cuts[-1]]))
    return cuts


def pack_behind(
    requests: Sequence[Request], group: SharingGroup, *, token_budget: int
) -> list[Batch]:
    """Packs a group's requests behind one another, so that there is no padding.

    Args:
        requests: All requests.
        group: Which of them, and what they share.
        token_budget: Tokens a batch may have, the shared prefix not counted.

    Returns:
        Batches of about equally many tokens, the longest rows first.
    """
    rows, lengths = _longest_first(requests, group)
    return [
        _behind(requests, rows[start:end], len(group.prefix))
        for start, end in pairwise(_even_cuts(lengths, token_budget))
    ]


def _even_cuts(lengths: Sequence[int], token_budget: int) -> list[int]:
    """Where to cut rows, longest first, for as few batches as fit, of about equally many tokens."""
    total = sum(lengths)
    wanted = total / math.ceil(total / token_budget)
    cuts = [0]
    before = before_cut = 0
    for row, length in enumerate(lengths):
        size = row - cuts[-1]
        is_full = before + length / 2 > wanted * len(cuts)
        is_over = before - before_cut + length > token_budget
        # Attention alone pads, to the longest row, and so may take no more than four times as much.
        is_padded = (size + 1) * lengths[cuts[-1]] > 4 * token_budget
        if size and (is_full or is_over or is_padded):
            cuts.append(row)
            before_cut = before
        before += length
    return [*cuts, len(lengths)]


def _behind(requests: Sequence[Request], members: Sequence[int], skip: int) -> Batch:
    everyone = tuple(requests[row].ids[skip:] for row in members)
    packed = PackedRows.of([len(ids) for ids in everyone])
    input_ids = torch.tensor([[token for ids in everyone for token in true_ids(ids)]])
    starts = packed.places[:, 0].tolist()
    columns = [
        start + spot - skip
        for row, start in zip(members, starts, strict=True)
        for spot in requests[row].spots
    ]
    spots = TokenPositions(torch.zeros(len(columns), dtype=torch.long), torch.tensor(columns))
    return Batch(tuple(members), everyone, input_ids, spots, packed)


def left_padded(rows: Sequence[TokenIds], pad_id: int) -> tuple[Tensor, Tensor]:
    """Rows that all end in one column, as a batch needs them that is continued.

    Args:
        rows: Token ids.
        pad_id: What padding is filled with.

    Returns:
        What the model is given for them and which of it is no padding, both `(len(rows), t)` int64.
    """
    longest = max(map(len, rows))
    input_ids = torch.full((len(rows), longest), pad_id, dtype=torch.long)
    attention_mask = torch.zeros_like(input_ids)
    for number, ids in enumerate(rows):
        input_ids[number, longest - len(ids) :] = torch.tensor(true_ids(ids))
        attention_mask[number, longest - len(ids) :] = 1
    return input_ids, attention_mask


def _batch(
    requests: Sequence[Request], members: Sequence[int], skip: int, longest: int, pad_id: int
) -> Batch:
    input_ids = torch.full((len(members), longest), pad_id, dtype=torch.long)
    rows, columns = [], []
    everyone = tuple(requests[row].ids[skip:] for row in members)
    for number, (row, ids) in enumerate(zip(members, everyone, strict=True)):
        input_ids[number, : len(ids)] = torch.tensor(true_ids(ids))
        for spot in requests[row].spots:
            rows.append(number)
            columns.append(spot - skip)
    spots = TokenPositions(torch.tensor(rows), torch.tensor(columns))
    return Batch(tuple(members), everyone, input_ids, spots)
