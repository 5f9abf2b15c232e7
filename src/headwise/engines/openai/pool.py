"""Many requests at once, a bounded number at a time, in order; the first failure ends them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
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
    with progress_bar(description, len(items), enabled=progress) as bar:
        pool = ThreadPoolExecutor(min(at_once, max(1, len(items))))
        try:
            futures = [pool.submit(request, item) for item in items]
            for future in as_completed(futures):
                future.result()
                bar.advance()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return [future.result() for future in futures]
