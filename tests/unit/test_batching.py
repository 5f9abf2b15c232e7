"""Batches hold every row once, stay within the budget, and are filled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headwise.engines.transformers.batching import Request, SharingGroup, pack

_BUDGET = 640


@given(st.lists(st.integers(1, 900), min_size=1, max_size=80))
def test_every_row_runs_once_and_within_the_budget(lengths):
    requests = [Request.last_token([7] * length) for length in lengths]
    group = SharingGroup((), tuple(range(len(requests))))
    batches = pack(requests, group, token_budget=_BUDGET, pad_id=0)
    assert sorted(row for batch in batches for row in batch.rows) == list(group.rows)
    for batch in batches:
        own = [len(ids) for ids in batch.ids]
        assert batch.input_ids.numel() <= _BUDGET or len(own) == 1
        assert own == [lengths[row] for row in batch.rows]


def test_rows_of_one_length_fill_the_budget():
    requests = [Request.last_token([7] * 64) for _ in range(20)]
    batches = pack(requests, SharingGroup((), tuple(range(20))), token_budget=_BUDGET, pad_id=0)
    assert [len(batch.rows) for batch in batches] == [10, 10]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.sampled_from([0, 3, 50]))
def test_no_other_cuts_take_less(lengths, call_tokens):
    requests = [Request.last_token([7] * length) for length in lengths]
    group = SharingGroup((), tuple(range(len(requests))))
    batches = pack(requests, group, token_budget=30, pad_id=0, call_tokens=call_tokens)
    took = sum(batch.input_ids.numel() + call_tokens for batch in batches)
    assert took == cheapest(sorted(lengths, reverse=True), 30, call_tokens)
    sizes = [batch.input_ids.numel() for batch in batches]
    assert sizes == sorted(sizes, reverse=True)


def cheapest(lengths, budget, call_tokens):
    """What the best of all ways to cut takes."""
    if not lengths:
        return 0
    fit = [n for n in range(1, len(lengths) + 1) if n == 1 or n * lengths[0] <= budget]
    return min(
        n * lengths[0] + call_tokens + cheapest(lengths[n:], budget, call_tokens) for n in fit
    )
