"""Prompts that begin alike, in one batch: what they begin with is run once, for all of them.

A batch that generates is padded on the left, so that all prompts end in one column. Columns are cut
there where what is left holds what is each row's own: of a row before which there is padding, some
of what it shares is run again. So every row is what it would be if nothing were shared, column by
column, also for models that count columns, or look back over a window of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from transformers.cache_utils import DynamicCache

from headwise.engines.transformers.batching import (
    MIN_TOKENS_SAVED,
    Request,
    SharingGroup,
    TokenIds,
    sharing_groups,
)
from headwise.engines.transformers.frozen import FrozenModel
from headwise.engines.transformers.group_prefixes import GroupPrefixes, may_share
from headwise.engines.transformers.pictures import before_cut_picture
from headwise.engines.transformers.prefixes import PrefixStates

# Keys and values that a batch may keep, in budgets of tokens that it may run.
_KEPT_BUDGETS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """What several prompts begin with.

    Args:
        ids: Its tokens.
        states: Their keys and values.
    """

    ids: TokenIds
    states: PrefixStates

    def cache(self, rows: Sequence[TokenIds], columns: int) -> DynamicCache:
        """Keys and values of the first columns of rows, padded on the left to the longest."""
        longest = max(len(row) for row in rows)
        return self.states.cache_on_left([longest - len(row) for row in rows], columns)


@dataclass(frozen=True, slots=True, eq=False)
class PromptBatch:
    """Prompts that are continued together.

    Args:
        rows: Their numbers.
        beginning: What they begin with; None where that is run for each.
    """

    rows: tuple[int, ...]
    beginning: Beginning | None = None


def prompt_batches(
    frozen: FrozenModel, prompts: Sequence[TokenIds], n_new_tokens: int
) -> Iterator[PromptBatch]:
    """Batches of prompts, the longest first, each group's beginning run when its first is asked.

    Args:
        frozen: The model.
        prompts: `n` prompts.
        n_new_tokens: Tokens that may follow each.

    Yields:
        Batches that together hold every prompt once.
    """
    requests = [Request.last_token(ids) for ids in prompts]
    # Apart, prompts take steps of their own for every token that follows.
    least_saved = MIN_TOKENS_SAVED + n_new_tokens * frozen.call_tokens
    share = frozen.shares_prefixes and not frozen.counts_in_three
    prefixes = GroupPrefixes(frozen)
    for group in sharing_groups(requests, share=share, least_saved=least_saved):
        if not may_share(frozen, requests, group):
            group = replace(group, prefix=())
        states = prefixes.states(group)
        beginning = None if states is None else Beginning(group.prefix, states)
        for rows in _cut(frozen, prompts, group, n_new_tokens):
            yield PromptBatch(rows, beginning)


def _cut(
    frozen: FrozenModel, prompts: Sequence[TokenIds], group: SharingGroup, n_new_tokens: int
) -> Iterator[tuple[int, ...]]:
    """A group's rows in batches, the longest first; what is shared is kept, but not run."""
    order = sorted(group.rows, key=lambda row: -len(prompts[row]))
    start = 0
    while start < len(order):
        kept = len(prompts[order[start]]) + n_new_tokens
        run = kept - len(group.prefix)
        n_rows = min(frozen.token_budget // run, _KEPT_BUDGETS * frozen.token_budget // kept)
        rows = order[start : start + max(1, n_rows)]
        yield tuple(rows)
        start += len(rows)


def columns_begun(frozen: FrozenModel, rows: Sequence[TokenIds], n_tokens: int) -> int:
    """How many columns of rows, padded on the left, need not be run again.

    Args:
        frozen: The model.
        rows: Prompts that begin alike.
        n_tokens: How many tokens they begin alike with, fewer than any of them has.

    Returns:
        The number of columns: so few that no row is cut within a picture, and that the model takes
        what is left of it.
    """
    if frozen.sight is None:
        return n_tokens
    for columns in range(n_tokens, 0, -1):
        pairs = list(zip(rows, _cuts(rows, columns), strict=True))
        if all(before_cut_picture(row, cut) == cut for row, cut in pairs):
            if all(frozen.sight.may_follow(row[cut:]) for row, cut in pairs):
                return columns
            return 0
    return 0


def rests(rows: Sequence[TokenIds], columns: int) -> list[TokenIds]:
    """What is left of rows, padded on the left to the longest, behind some columns."""
    return [row[cut:] for row, cut in zip(rows, _cuts(rows, columns), strict=True)]


def _cuts(rows: Sequence[TokenIds], columns: int) -> list[int]:
    """How many tokens of each row lie in the first columns."""
    longest = max(map(len, rows))
    return [max(0, columns - longest + len(row)) for row in rows]
