"""What a template begins with is run once, within a byte budget, and only if it pays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from headwise.engines.transformers.batching import Request, SharingGroup, TokenIds
from headwise.engines.transformers.kept_beginnings import KeptBeginnings, beginning_of
from headwise.engines.transformers.prefixes import PrefixStates

SYSTEM = tuple(range(100, 130))
BYTES_A_TOKEN = 8


class Runner:
    """Counts the prefixes that are run; a token takes eight bytes."""

    def __init__(self) -> None:
        self.run: list[TokenIds] = []

    def __call__(self, ids: TokenIds) -> PrefixStates:
        self.run.append(ids)
        half = torch.zeros(1, 1, len(ids), 1)
        return PrefixStates(((half, half),), len(ids))


def beginning(like: Sequence[int], *sequences: Sequence[int], shared: int = 0) -> TokenIds:
    """The beginning of a group whose sequences are of one template and share some tokens."""
    requests = [Request.last_token(ids, like) for ids in sequences]
    group = SharingGroup(tuple(sequences[0][:shared]), tuple(range(len(requests))))
    return beginning_of(requests, group)


def test_it_is_what_a_request_has_in_common_with_its_template() -> None:
    assert beginning((*SYSTEM, 0, 7), (*SYSTEM, 1, 7)) == SYSTEM
    assert beginning((*SYSTEM, 0, 7), (*SYSTEM, 1, 7), (*SYSTEM, 2)) == SYSTEM


def test_the_token_that_is_read_is_never_part_of_it() -> None:
    assert beginning((*SYSTEM, 1), (*SYSTEM, 1)) == SYSTEM


def test_a_prefix_is_common_to_all_rows_of_a_group() -> None:
    rows = [(*SYSTEM, 7, 1), (*SYSTEM[:20], 9, 9), (*SYSTEM, 8)]
    assert beginning(SYSTEM, *rows) == SYSTEM[:20]
    others = [Request(tuple(ids), (len(ids) - 1,), 20) for ids in (SYSTEM, SYSTEM[::-1])]
    assert beginning_of(others, SharingGroup((), (0, 1))) == ()


@pytest.mark.parametrize(("length", "kept"), [(15, 0), (16, 16)])
def test_too_little_is_not_worth_a_pass(length: int, kept: int) -> None:
    assert len(beginning((*SYSTEM[:length], 0), (*SYSTEM[:length], 1, 1))) == kept


def test_where_rows_share_more_in_this_call_that_is_run_instead() -> None:
    rows = [(*SYSTEM, 5, 5, n) for n in (1, 2)]
    assert beginning((*SYSTEM, 0), *rows, shared=32) == ()
    assert beginning((*SYSTEM, 0), *rows, shared=30) == SYSTEM


def test_requests_of_no_template_have_none() -> None:
    assert beginning((), (*SYSTEM, 1), (*SYSTEM, 2)) == ()
    assert beginning_of([], SharingGroup((), ())) == ()


def test_it_is_run_once() -> None:
    runner = Runner()
    beginnings = KeptBeginnings(runner, 10_000)
    assert beginnings.states(SYSTEM) is beginnings.states(SYSTEM)
    assert runner.run == [SYSTEM]
    beginnings.clear()
    beginnings.states(SYSTEM)
    assert runner.run == [SYSTEM, SYSTEM]


def test_the_least_recently_used_go_past_the_budget() -> None:
    runner = Runner()
    beginnings = KeptBeginnings(runner, 2 * 30 * BYTES_A_TOKEN)
    first, second, third = (tuple(range(start, start + 30)) for start in (0, 40, 80))
    for prefix in (first, second, first, third):
        beginnings.states(prefix)
    beginnings.states(first)
    assert runner.run == [first, second, third]
    beginnings.states(second)
    assert runner.run == [first, second, third, second]


def test_what_is_larger_than_the_budget_is_run_each_time() -> None:
    runner = Runner()
    beginnings = KeptBeginnings(runner, 10 * BYTES_A_TOKEN)
    for _ in range(2):
        assert beginnings.states(SYSTEM).length == 30
    assert runner.run == [SYSTEM, SYSTEM]
