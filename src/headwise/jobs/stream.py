"""Rows computed chunk by chunk and written to where nothing can be gone on with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, TypeVar

from headwise.jobs.chunks import even_spans
from headwise.jobs.plain_rows import Row, encode_rows
from headwise.jobs.report import JobReport
from headwise.progress import progress_bar

T = TypeVar("T")

Compute = Callable[[Sequence[T]], Sequence[Row]]
"""Some items that follow each other -> their finished rows, in the same order."""

Prepare = Callable[[Sequence[T]], None]
"""Is told the items that are computed next, while those before them still are; returns at once."""


def stream_rows(
    stream: BinaryIO,
    items: Sequence[T],
    compute: Compute[T],
    *,
    spans: Sequence[range] | None = None,
    prepare: Prepare[T] | None = None,
    description: str = "",
) -> JobReport:
    """Writes rows to a pipe or terminal, chunk by chunk; nothing can be gone on with.

    Args:
        stream: Where to write.
        items: All items.
        compute: Makes the rows of some items that follow each other.
        spans: The chunks; `even_spans` where None.
        prepare: Is told of each chunk before it is computed.
        description: What to call the work in a progress bar; no bar where empty.

    Returns:
        How many rows there are and how long it took.

    Raises:
        HeadwiseError: A row cannot be written as JSON.
        OSError: Nobody reads any more, or the disk is full.
    """
    started = time.perf_counter()
    with progress_bar(description, len(items), enabled=bool(description)) as bar:
        chunks = even_spans(len(items)) if spans is None else spans
        for span in announced(items, chunks, prepare):
            stream.write(encode_rows(rows_of(items, compute, span), first=span.start))
            stream.flush()
            bar.advance(len(span))
    return JobReport(len(items), 0, time.perf_counter() - started)


def announced(
    items: Sequence[T], spans: Sequence[range], prepare: Prepare[T] | None
) -> Iterator[range]:
    """The chunks, each told of one chunk ahead of its time.

    Args:
        items: All items.
        spans: The chunks that are to be computed.
        prepare: Whom to tell.

    Yields:
        Each chunk.
    """
    for number, span in enumerate(spans):
        if prepare is not None:
            # The first chunk has none before it in whose time it could be told.
            for near in spans[number + (number > 0) : number + 2]:
                prepare(items[near.start : near.stop])
        yield span


def rows_of(items: Sequence[T], compute: Compute[T], span: range) -> Sequence[Row]:
    """The rows of one chunk.

    Args:
        items: All items.
        compute: Makes rows.
        span: The chunk.

    Returns:
        One row an item of the chunk.

    Raises:
        ValueError: `compute` made another number of rows.
    """
    rows = compute(items[span.start : span.stop])
    if len(rows) != len(span):
        raise ValueError(f"compute was given {len(span)} items and made {len(rows)} rows.")
    return rows
