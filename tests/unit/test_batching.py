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
