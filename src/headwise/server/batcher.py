"""Items of many requests, put together into calls of one engine by one thread.

The oldest item decides what runs next; waiting items that may share its call join, those nearest to
it in length first, up to the token budget. What runs on the engine gives each item what it would
give it alone, so who shares a call with whom changes no answer.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from headwise.server.refusals import DeadlineError, OverloadError, StoppingError
from headwise.server.settings import BatchSettings

_LONGEST_RETRY = 30.0


class Runner(Protocol):
    """What answers items; items whose runners are equal may share a call."""

    def run(self, payloads: Sequence[Any]) -> list[Any]:
        """One answer an item; an exception in its place where the item alone is wrong.

        Raises:
            Exception: The call failed; the items are then tried in smaller calls.
        """

    def __hash__(self) -> int: ...


@dataclass(slots=True, eq=False)
class Work:
    """One item that waits for its answer.

    Args:
        runner: What answers it.
        payload: The item.
        tokens: How long it is, roughly.
        deadline: When its answer is of no use any more, on the batcher's clock.
        seconds: The same as its request knows it, for the error.
        future: Where its answer goes.
    """

    runner: Runner
    payload: Any
    tokens: int
    deadline: float
    seconds: float = 0.0
    future: Future[Any] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Ran:
    """One call of the engine, for those who watch.

    Args:
        runner: What ran.
        items: How many items.
        tokens: How many tokens, roughly.
        seconds: How long.
        failed: How many items failed.
    """

    runner: Runner
    items: int
    tokens: int
    seconds: float
    failed: int


class Batcher:
    """A bounded queue, and the thread that owns the engine.

    Args:
        settings: How items are put together.
        watch: Told of each call, in the thread of the engine.
        clock: Seconds from anywhere, for tests.
    """

    def __init__(
        self,
        settings: BatchSettings,
        watch: Callable[[Ran], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._watch = watch
        self.clock = clock
        self._waiting: deque[Work] = deque()
        self._tokens = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._running_items = 0
        self._last_items = 0
        self._rate: float | None = None
        self._thread = threading.Thread(target=self._work, name="headwise-engine", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether items are being answered."""
        return self._thread.is_alive()

    @property
    def waiting_items(self) -> int:
        """How many items wait."""
        return len(self._waiting)

    @property
    def waiting_tokens(self) -> int:
        """How many tokens wait, roughly."""
        return self._tokens

    @property
    def most_items(self) -> int:
        """How many items may wait; no request with more is ever accepted."""
        return self._settings.queue_items

    def submit(self, works: Sequence[Work]) -> None:
        """Puts the items of a request at the end of the queue: all of them, or none.

        Raises:
            OverloadError: The queue has no room for them.
            StoppingError: The server is shutting down.
        """
        tokens = sum(work.tokens for work in works)
        with self._changed:
            if self._stopping or not self._thread.is_alive():
                raise StoppingError
            too_many = len(self._waiting) + len(works) > self._settings.queue_items
            too_long = self._tokens + tokens > self._settings.queue_tokens and bool(self._waiting)
            if too_many or too_long:
                raise OverloadError(self._seconds_to_room())
            self._waiting.extend(works)
            self._tokens += tokens
            self._changed.notify_all()

    def cancel(self, works: Iterable[Work]) -> None:
        """Drops what still waits of some items; what runs already runs on, unheard."""
        cancelled = [work.future.cancel() for work in works]
        if not any(cancelled):
            return
        with self._changed:
            self._keep_pending()
            self._changed.notify_all()

    def stop(self, timeout: float | None = None) -> bool:
        """Answers what was accepted, refuses new items, and ends the thread.

        Args:
            timeout: Seconds to wait for that; for ever where None.

        Returns:
            Whether all is done.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _seconds_to_room(self) -> float:
        if not self._rate:
            return 1.0
        return min(max(1.0, self._tokens / self._rate), _LONGEST_RETRY)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                if not self._waiting:
                    return
                self._wait_for_company()
                batch = self._take()
            if batch:
                self._run(batch)

    def _wait_for_company(self) -> None:
        """Waits while items still arrive, where several came together last time.

        A quarter of a call is company enough: those who have their answers only now send more while
        it runs, so that the engine is never idle for them.
        """
        if self._last_items < 2:
            return
        while not self._stopping and self._tokens < self._settings.batch_tokens // 4:
            before = len(self._waiting)
            self._changed.wait(self._settings.batch_wait)
            if len(self._waiting) <= before:
                return

    def _take(self) -> list[Work]:
        """The oldest item and those that may share its call, the nearest in length first."""
        self._drop_late()
        if not self._waiting:
            return []
        oldest = self._waiting[0]
        like = [work for work in self._waiting if work.runner == oldest.runner]
        # Alike in length, they need little padding. None waits for ever: each is the oldest once.
        like.sort(key=lambda work: (work is not oldest, abs(work.tokens - oldest.tokens)))
        batch: list[Work] = []
        tokens = 0
        for work in like:
            if batch and tokens + work.tokens > self._settings.batch_tokens:
                break
            if work.future.set_running_or_notify_cancel():
                batch.append(work)
                tokens += work.tokens
        self._keep_pending()
        return batch

    def _drop_late(self) -> None:
        now = self.clock()
        for work in self._waiting:
            if work.deadline <= now and work.future.set_running_or_notify_cancel():
                work.future.set_exception(DeadlineError(work.seconds))
        self._keep_pending()

    def _keep_pending(self) -> None:
        """Forgets what runs, is done, or nobody waits for any more."""
        self._waiting = deque(
            work for work in self._waiting if not (work.future.running() or work.future.done())
        )
        self._tokens = sum(work.tokens for work in self._waiting)

    def _run(self, batch: Sequence[Work]) -> None:
        started = time.perf_counter()
        runner = batch[0].runner
        outcomes = answered(runner, [work.payload for work in batch])
        seconds = time.perf_counter() - started
        tokens = sum(work.tokens for work in batch)
        failed = sum(isinstance(outcome, BaseException) for outcome in outcomes)
        self._last_items = len(batch)
        self._rate = tokens / max(seconds, 1e-6)
        # Told first: whoever has an answer can see it counted.
        self._watch(Ran(runner, len(batch), tokens, seconds, failed))
        for work, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                work.future.set_exception(outcome)
            else:
                work.future.set_result(outcome)


def answered(runner: Runner, payloads: Sequence[Any]) -> list[Any]:
    """The answers to items; where a call fails, its halves are tried, down to the items at fault.

    Args:
        runner: What answers them.
        payloads: The items.

    Returns:
        One answer an item, or the exception that it alone raises.
    """
    try:
        outcomes = runner.run(payloads)
        if len(outcomes) != len(payloads):
            raise RuntimeError(f"{len(outcomes)} answers to {len(payloads)} items.")
        return outcomes
    except Exception as error:
        if len(payloads) == 1:
            return [error]
    middle = len(payloads) // 2
    return [*answered(runner, payloads[:middle]), *answered(runner, payloads[middle:])]
