"""Warnings about texts that were cut: once a command, not once a chunk."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from headwise.cli.console import warn


@contextmanager
def untold_cuts() -> Iterator[None]:
    """Keeps a method from warning of cut texts, which each output row says of itself.

    Yields:
        Nothing.
    """
    from headwise.methods.truncation import TruncationWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncationWarning)
        yield


def warn_of_cuts(n_cut: int, n_rows: int) -> None:
    """Warns where rows of the output have a text that was cut.

    Args:
        n_cut: How many rows.
        n_rows: Out of how many.
    """
    if n_cut:
        warn(
            f"{n_cut} of {n_rows} rows have a text that is longer than the limit set when fitting; "
            "it was cut in the middle. Fit with a larger --max-text-tokens to keep more."
        )
