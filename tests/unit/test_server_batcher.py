"""The queue of the server: bounded, in order, and no item pays for another."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from headwise.server.batcher import Batcher, Ran, Work, answered
from headwise.server.refusals import DeadlineError, OverloadError, StoppingError
from headwise.server.settings import BatchSettings

PATIENCE = 20


@dataclass(eq=False)
class Script:
    """What runners share: the calls so far, and a gate that holds each call back."""

    calls: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Doubler:
    """Doubles numbers; fails as a whole where one is negative."""

    name: str
    script: Script = field(compare=False)

    def run(self, payloads):
        self.script.begun.set()
        assert self.script.open.wait(PATIENCE)
        self.script.calls.append((self.name, tuple(payloads)))
        if any(number < 0 for number in payloads):
            raise ValueError("negative")
        return [2 * number for number in payloads]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def script():
    return Script()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def started(script, clock):
    """Makes running batchers, and ends them."""
    made = []

    def start(watch=lambda _: None, **settings):
        batcher = Batcher(BatchSettings(batch_wait=0.01, **settings), watch, clock)
        batcher.start()
        made.append(batcher)
        return batcher

    yield start
    script.open.set()
    assert all(batcher.stop(PATIENCE) for batcher in made)


def work(script, number, name="a", tokens=1, deadline=100.0):
    return Work(Doubler(name, script), number, tokens, deadline, deadline)


def busy(batcher, script):
    """An item that is running, held back by the gate."""
    first = work(script, 0, "busy")
    batcher.submit([first])
    assert script.begun.wait(PATIENCE)
    return first


def test_each_item_has_its_own_answer(started, script):
    script.open.set()
    works = [work(script, number, "ab"[number % 2]) for number in range(40)]
    batcher = started()
    for one in works:
        batcher.submit([one])
    assert [one.future.result(PATIENCE) for one in works] == [2 * n for n in range(40)]


def test_what_waits_shares_a_call_up_to_the_budget_and_in_order(started, script):
    batcher = started(batch_tokens=10)
    busy(batcher, script)
    works = [work(script, n, tokens=4) for n in range(1, 6)]
    batcher.submit(works)
    script.open.set()
    assert [one.future.result(PATIENCE) for one in works] == [2, 4, 6, 8, 10]
    assert script.calls[1:] == [("a", (1, 2)), ("a", (3, 4)), ("a", (5,))]


def test_an_item_longer_than_the_budget_runs_by_itself(started, script):
    batcher = started(batch_tokens=10)
    busy(batcher, script)
    works = [work(script, 1, tokens=50), work(script, 2, tokens=1)]
    batcher.submit(works)
    script.open.set()
    assert [one.future.result(PATIENCE) for one in works] == [2, 4]
    assert script.calls[1:] == [("a", (1,)), ("a", (2,))]


def test_the_oldest_item_decides_what_runs(started, script):
    batcher = started()
    busy(batcher, script)
    works = [work(script, n, name) for n, name in enumerate("abab")]
    batcher.submit(works)
    script.open.set()
    for one in works:
        one.future.result(PATIENCE)
    assert script.calls[1:] == [("a", (0, 2)), ("b", (1, 3))]


@pytest.mark.parametrize("bound", [{"queue_items": 3}, {"queue_tokens": 30}])
def test_past_its_bound_the_queue_refuses_a_request_whole(started, script, bound):
    batcher = started(**bound)
    busy(batcher, script)
    accepted = [work(script, n, tokens=10) for n in range(2)]
    batcher.submit(accepted)
    refused = [work(script, n, tokens=10) for n in range(2)]
    with pytest.raises(OverloadError) as caught:
        batcher.submit(refused)
    assert caught.value.retry_after >= 1
    assert (batcher.waiting_items, batcher.waiting_tokens) == (2, 20)
    batcher.submit(refused[:1])
    script.open.set()
    assert [w.future.result(PATIENCE) for w in (*accepted, refused[0])] == [0, 2, 0]
    assert not refused[1].future.done()


def test_one_request_may_have_more_tokens_than_the_queue_where_nothing_waits(started, script):
    script.open.set()
    batcher = started(queue_tokens=5)
    one = work(script, 3, tokens=50)
    batcher.submit([one])
    assert one.future.result(PATIENCE) == 6


def test_past_its_deadline_an_item_does_not_run(started, script, clock):
    batcher = started()
    busy(batcher, script)
    late, early = work(script, 1, deadline=5.0), work(script, 2, deadline=50.0)
    batcher.submit([late, early])
    clock.now = 10.0
    script.open.set()
    assert early.future.result(PATIENCE) == 4
    with pytest.raises(DeadlineError, match="5 s"):
        late.future.result(PATIENCE)
    assert script.calls[1:] == [("a", (2,))]


def test_what_nobody_waits_for_any_more_does_not_run_and_makes_room(started, script):
    batcher = started(queue_items=2)
    running = busy(batcher, script)
    gone = [work(script, n) for n in range(2)]
    batcher.submit(gone)
    batcher.cancel([running, *gone])
    assert (batcher.waiting_items, batcher.waiting_tokens) == (0, 0)
    stays = work(script, 7)
    batcher.submit([stays])
    script.open.set()
    assert stays.future.result(PATIENCE) == 14
    assert running.future.result(PATIENCE) == 0
    assert script.calls[1:] == [("a", (7,))]


def test_an_item_that_fails_fails_alone(started, script):
    script.open.set()
    seen: list[Ran] = []
    batcher = started(seen.append)
    works = [work(script, n) for n in (1, 2, -3, 4, 5)]
    batcher.submit(works)
    assert [w.future.result(PATIENCE) for w in works if w.payload > 0] == [2, 4, 8, 10]
    with pytest.raises(ValueError, match="negative"):
        works[2].future.result(PATIENCE)
    assert (seen[0].items, seen[0].failed) == (5, 1)


def test_an_answer_too_few_is_no_answer_to_another_item():
    class Short:
        def run(self, payloads):
            return list(payloads)[: max(1, len(payloads) - 1)]

    assert answered(Short(), [1, 2, 3]) == [1, 2, 3]


def test_it_ends_after_what_it_accepted(started, script):
    batcher = started()
    busy(batcher, script)
    accepted = [work(script, n) for n in range(3)]
    batcher.submit(accepted)
    assert not batcher.stop(0.01)
    with pytest.raises(StoppingError):
        batcher.submit([work(script, 9)])
    script.open.set()
    assert batcher.stop(PATIENCE)
    assert [one.future.result(0) for one in accepted] == [0, 2, 4]
    assert not batcher.is_alive


def test_those_nearest_in_length_to_the_oldest_join_it_and_none_waits_for_ever(started, script):
    batcher = started(batch_tokens=12)
    busy(batcher, script)
    lengths = [4, 11, 8, 5, 4]
    works = [work(script, n, tokens=length) for n, length in enumerate(lengths, 1)]
    batcher.submit(works)
    script.open.set()
    assert [one.future.result(PATIENCE) for one in works] == [2, 4, 6, 8, 10]
    assert script.calls[1:] == [("a", (1, 5)), ("a", (2,)), ("a", (3,)), ("a", (4,))]


def test_an_item_given_up_before_its_batcher_hears_of_it_harms_nobody(started, script, clock):
    batcher = started()
    busy(batcher, script)
    given_up, wanted = work(script, 1, deadline=5.0), work(script, 2)
    batcher.submit([given_up, wanted])
    assert given_up.future.cancel()
    clock.now = 10.0
    script.open.set()
    assert wanted.future.result(PATIENCE) == 4
    assert (batcher.is_alive, batcher.waiting_items, batcher.waiting_tokens) == (True, 0, 0)
