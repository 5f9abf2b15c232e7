"""Many requests at once, a bounded number at a time, in order; the first failure ends them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeVar

from headwise.progress import progress_bar

T = TypeVar("T")
R = TypeVar("R")


def run_all(
    request: Callable[[T], R],
    items: Sequence[T],
    *,
    at_once: int,
    description: str,
    progress: bool,
) -> list[R]:
    """Makes a request for every item.

    The threads are daemons, unlike those of `concurrent.futures`: after a failure or Ctrl-C nobody
    waits for requests under way, which may be tried again for minutes.

    Args:
        request: Makes one; it runs in threads.
        items: `n` items.
        at_once: How many requests may be under way at a time.
        description: What to call the work in a progress bar.
        progress: Whether to show one on stderr.

    Returns:
        `n` results, in the order of the items.

    Raises:
        Exception: What the first request to fail raised; those not yet begun are not made.
    """
    todo: SimpleQueue[int] = SimpleQueue()
    done: SimpleQueue[tuple[int, R] | BaseException] = SimpleQueue()
    stopped = Event()
    for number in range(len(items)):
        todo.put(number)

    def work() -> None:
        while not stopped.is_set():
            try:
                number = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((number, request(items[number])))
            except BaseException as error:
                done.put(error)

    results: dict[int, R] = {}
    for _ in range(min(at_once, len(items))):
        Thread(target=work, name="headwise-request", daemon=True).start()
    with progress_bar(description, len(items), enabled=progress) as bar:
        try:
            while len(results) < len(items):
                outcome = done.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                results[outcome[0]] = outcome[1]
                bar.advance()
        finally:
            stopped.set()
    return [results[number] for number in range(len(items))]
