"""What a reader gives back: the nouns, the raw rows beside them, and the rows it could not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

from headwise.errors import InputError

T = TypeVar("T")

_SHOWN_BAD_ROWS = 10
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as the file has it.

    Args:
        location: Where it is, such as `"train.jsonl:12"`.
        values: Column name to value.
    """

    location: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that could not be read.

    Args:
        location: Where it is, such as `"train.jsonl:12"`.
        found: What is there.
        expected: What should be there.
    """

    location: str
    found: str
    expected: str

    @property
    def message(self) -> str:
        """One sentence with location, what was found and what was expected."""
        return f"{self.location}: found {self.found}; expected {self.expected}."


@dataclass(frozen=True, slots=True)
class ReadResult(Generic[T]):
    """The rows of a source, as nouns and as they were.

    Args:
        items: `n` nouns, in the order of the source.
        rows: `n` raw rows, the one each noun was made from.
        locations: `n` locations, such as `"train.jsonl:12"`.
        bad: The rows that were left out; empty unless bad rows were to be skipped.
        notes: One sentence for each thing about the source that the user should know.
    """

    items: tuple[T, ...]
    rows: tuple[Mapping[str, object], ...]
    locations: tuple[str, ...]
    bad: tuple[BadRow, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)


def refuse_bad_rows(source: str, bad: Sequence[BadRow], n_rows: int) -> NoReturn:
    """Raises the error that lists bad rows.

    Args:
        source: The name of the source.
        bad: The bad rows, at least one.
        n_rows: Rows read in all, good and bad.

    Raises:
        InputError: Always; with the first ten rows, the count and what to do.
    """
    lines = [f"{len(bad)} of {n_rows} rows of {source} cannot be used:"]
    lines += [f"  {row.message}" for row in bad[:_SHOWN_BAD_ROWS]]
    if len(bad) > _SHOWN_BAD_ROWS:
        lines.append(f"  ... and {len(bad) - _SHOWN_BAD_ROWS} more.")
    if len(bad) < n_rows:
        lines.append("Mend them, or go on without them: --skip-bad (in Python: skip_bad=True).")
    else:
        lines.append("No row is left to work with; mend the file.")
    raise InputError("\n".join(lines))


def describe(value: object) -> str:
    """A value in a few words, for error messages.

    Args:
        value: Anything a row may hold.

    Returns:
        Such as `null`, `a list`, `empty text` or a shortened literal.
    """
    if value is None:
        return "null"
    if isinstance(value, str) and not value.strip():
        return "empty text"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return "a list" if value else "an empty list"
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else shown[: _SHOWN_CHARACTERS - 3] + "..."
