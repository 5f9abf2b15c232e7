"""Which rows are computed and written together."""

from __future__ import annotations

from collections.abc import Iterable

from headwise.examples import Prompt, group_by_prompt

CHUNK_ROWS = 64
"""How many rows are computed and written at a time."""


def even_spans(n_items: int, size: int = CHUNK_ROWS) -> list[range]:
    """Chunks of one size; the last may be smaller.

    Args:
        n_items: How many items there are.
        size: How many make a chunk.

    Returns:
        Ranges of positions that follow each other and together hold every item once.
    """
    return [range(start, min(start + size, n_items)) for start in range(0, n_items, size)]


def spans_of_groups(prompts: Iterable[Prompt], size: int = CHUNK_ROWS) -> list[range]:
    """Chunks that never part the rows of one prompt.

    Rows of one prompt that lie far apart make one large chunk of all rows between them: such a job
    is right, but has few places to go on from. Sort the rows by prompt to have more.

    Args:
        prompts: The prompt of each row.
        size: A chunk is ended once it has so many rows and no prompt is left open.

    Returns:
        Ranges of positions that follow each other and together hold every row once.
    """
    groups = group_by_prompt(prompts)
    last = {row: max(group) for group in groups for row in group}
    spans, start, open_until = [], 0, -1
    for row in range(len(last)):
        open_until = max(open_until, last[row])
        is_end = row == len(last) - 1
        if is_end or (row == open_until and row + 1 - start >= size):
            spans.append(range(start, row + 1))
            start = row + 1
    return spans
