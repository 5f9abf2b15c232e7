"""What the command line says: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.text import Text


def write_json(value: Mapping[str, object]) -> None:
    """Writes one JSON object to stdout.

    Args:
        value: What JSON can hold; no NaN.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
    sys.stdout.buffer.write(f"{text}\n".encode())
    sys.stdout.flush()


def show(*results: RenderableType) -> None:
    """Writes results for a person to stdout."""
    console = Console(highlight=False)
    for result in results:
        console.print(result, soft_wrap=True)


def tell(*news: RenderableType) -> None:
    """Writes what is not a result, for a person, to stderr."""
    console = Console(stderr=True, highlight=False)
    for item in news:
        console.print(item, soft_wrap=True)


def warn(message: str) -> None:
    """Writes a warning to stderr, as one line.

    Args:
        message: The text; line breaks in it become blanks.
    """
    print(f"Warning: {' '.join(message.split())}", file=sys.stderr)


def facts(title: str, values: Mapping[str, str | None]) -> Text:
    """A title with named facts under it, one a line, however long.

    Args:
        title: One line.
        values: Each fact by its name; None is left out.

    Returns:
        Something to show.
    """
    known = {name: value for name, value in values.items() if value is not None}
    width = max(map(len, known), default=0)
    text = Text(title, style="bold")
    for name, value in known.items():
        indented = value.replace("\n", "\n" + " " * (width + 4))
        text.append(f"\n  {name:<{width}}  ", style="not bold dim").append(
            indented, style="not bold"
        )
    return text


@contextmanager
def waiting(message: str, *, quiet: bool) -> Iterator[None]:
    """Shows on a terminal what is waited for.

    Args:
        message: What is being done.
        quiet: Whether to show nothing.

    Yields:
        Nothing; the message goes away at the end of the block.
    """
    console = Console(stderr=True, highlight=False)
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(Text(message)):
        yield


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Shows Python warnings as one line each; those for programmers are left out.

    Yields:
        Nothing; Python's own ways come back at the end of the block.
    """
    with warnings.catch_warnings():
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        warnings.showwarning = lambda message, *_, **__: warn(str(message))
        yield


def tolerate_odd_terminals() -> None:
    """Lets a terminal that lacks a character show a question mark instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
