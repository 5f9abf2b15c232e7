"""Progress bars for long work: on stderr, only where somebody watches, only past a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

_SHOW_AFTER_SECONDS = 1.0


@dataclass
class ProgressBar:
    """A bar that appears once the work has lasted a second.

    Args:
        description: What is being done.
        total: Steps in all.
        enabled: Whether anything may be shown.
    """

    description: str
    total: int
    enabled: bool
    _done: int = 0
    _started: float = field(default_factory=time.monotonic)
    _progress: Progress | None = None
    _task: TaskID | None = None

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Reports finished steps.

        Args:
            steps: How many.
            note: A short text to show behind the bar, such as the current loss.
        """
        self._done += steps
        if not self.enabled or time.monotonic() - self._started < _SHOW_AFTER_SECONDS:
            return
        if self._progress is None or self._task is None:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task(self.description, total=self.total, note=note)
        self._progress.update(self._task, completed=self._done, note=note)

    def close(self) -> None:
        """Removes the bar from the screen."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


@contextmanager
def progress_bar(description: str, total: int, *, enabled: bool) -> Iterator[ProgressBar]:
    """Shows a progress bar on stderr while the block runs.

    Args:
        description: What is being done.
        total: Steps in all.
        enabled: Whether the caller wants one; it also needs stderr to be a terminal.

    Yields:
        The bar; call its `advance`.
    """
    bar = ProgressBar(description, total, enabled and sys.stderr.isatty())
    try:
        yield bar
    finally:
        bar.close()
