"""Where requests are handed in: puts their items in the queue and waits for the answers."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from headwise.errors import HeadwiseError, InputError
from headwise.server.batcher import Batcher, Runner, Work
from headwise.server.reading import Reader
from headwise.server.refusals import (
    DeadlineError,
    RefusalError,
    is_clients_fault,
    told,
)
from headwise.server.settings import RequestLimits
from headwise.server.shelf import Shelf

DEADLINE_HEADER = "x-deadline-seconds"

R = TypeVar("R")
log = logging.getLogger("headwise.server")


@dataclass(frozen=True, slots=True)
class Job:
    """An item for the queue.

    Args:
        runner: What answers it.
        payload: The item.
        tokens: About how long it is.
    """

    runner: Runner
    payload: Any
    tokens: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an item has no answer.

    Args:
        message: What its client is told.
        is_clients: Whether what was sent is at fault.
    """

    message: str
    is_clients: bool = True


@dataclass(slots=True)
class Desk:
    """What routes need: the artifacts, the queue and the limits.

    Args:
        shelf: The artifacts.
        batcher: The queue.
        reader: Reads parts of requests.
        limits: What one request may ask for.
    """

    shelf: Shelf
    batcher: Batcher
    reader: Reader
    limits: RequestLimits
    _numbers: itertools.count[int]

    @classmethod
    def of(cls, shelf: Shelf, batcher: Batcher, reader: Reader) -> Desk:
        """A desk."""
        return cls(shelf, batcher, reader, reader.limits, itertools.count(1))

    def next_number(self) -> int:
        """A number that no other request has."""
        return next(self._numbers)

    async def read(self, reading: Callable[[], R], *, is_heavy: bool) -> R:
        """Reads a request's items; beside the loop where pictures make that slow.

        Raises:
            RefusalError: An item that the request cannot do without is malformed.
        """
        try:
            return await run_in_threadpool(reading) if is_heavy else reading()
        except InputError as error:
            field = str(error).partition(":")[0]
            raise RefusalError(422, str(error), None if " " in field else field) from error

    async def answers(self, request: Request, jobs: Sequence[Job]) -> list[Any]:
        """The answers to the items of a request.

        Args:
            request: The request; while it waits, it is watched for its client's leaving.
            jobs: Its items.

        Returns:
            For each item its answer, or a `Failure`.

        Raises:
            RefusalError: The queue is full, the server stops, the deadline is past, or the client
                has left.
        """
        seconds = _deadline_of(request, self.limits.deadline)
        deadline = self.batcher.clock() + seconds
        works = [Work(j.runner, j.payload, j.tokens, deadline, seconds) for j in jobs]
        if not works:
            return []
        if len(works) > self.batcher.most_items:
            raise RefusalError(
                413,
                f"items: the request makes {len(works)} items in all, by several criteria; the "
                f"server's queue holds {self.batcher.most_items}.",
                "items",
            )
        self.batcher.submit(works)
        futures = [asyncio.wrap_future(work.future) for work in works]
        for future in futures:
            future.add_done_callback(_heard)
        everything = asyncio.ensure_future(asyncio.wait(futures))
        leaving = asyncio.ensure_future(_left(request))
        try:
            done, _ = await asyncio.wait(
                {everything, leaving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if everything not in done:
                if leaving in done:
                    raise RefusalError(499, "The client left before the answer.")
                raise DeadlineError(seconds)
            return [_outcome(future) for future in futures]
        finally:
            leaving.cancel()
            self.batcher.cancel(works)
            everything.cancel()


def _heard(future: asyncio.Future[Any]) -> None:
    """Marks an error as noticed, also where nobody waits for it any more."""
    if not future.cancelled():
        future.exception()


def _outcome(future: asyncio.Future[Any]) -> Any:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, RefusalError):
        raise error
    if not isinstance(error, HeadwiseError):
        log.error("item failed", extra={"facts": {"event": "failure"}}, exc_info=error)
    return Failure(told(error), is_clients_fault(error))


async def _left(request: Request) -> None:
    """Returns when the client has gone."""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            return


def _deadline_of(request: Request, longest: float) -> float:
    asked = request.headers.get(DEADLINE_HEADER)
    if asked is None:
        return longest
    try:
        seconds = float(asked)
    except ValueError:
        seconds = float("nan")
    if not 0 < seconds < float("inf"):
        raise RefusalError(
            400, f"{DEADLINE_HEADER}: expected seconds above 0, such as 2.5.", DEADLINE_HEADER
        )
    return min(seconds, longest)


def answered_or_refused(outcomes: Sequence[Any]) -> list[Any]:
    """The answers where every item has one.

    Raises:
        RefusalError: One has none; for routes whose answers have no place for errors.
    """
    for number, outcome in enumerate(outcomes):
        if isinstance(outcome, Failure):
            status = 422 if outcome.is_clients else 500
            raise RefusalError(status, f"item {number}: {outcome.message}", f"item {number}")
    return list(outcomes)
