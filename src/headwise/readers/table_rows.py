"""CSV, TSV and Parquet -> raw rows with their line or row numbers."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from headwise.errors import InputError, MissingExtraError
from headwise.readers.result import BadRow, RawRow
from headwise.readers.values import not_unicode

_LONGEST_CELL = 2**31 - 1
_BATCH_ROWS = 1024


def csv_rows(
    name: str, stream: BinaryIO, delimiter: str | None = None
) -> Iterator[RawRow | BadRow]:
    """Reads a CSV or TSV file whose first row names the columns.

    Args:
        name: What to call the source in locations.
        stream: The file.
        delimiter: The character between cells; None for the one of comma, semicolon and tab that
            the header has most of.

    Yields:
        A row or a bad row for each record; its location is the line its first cell begins on.

    Raises:
        InputError: The header is not usable, or a quoted cell never ends.
    """
    # Bytes that are no UTF-8 become lone surrogates, so that one such cell spoils its own row only.
    lines = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    blank: list[str] = []
    for header_line in lines:
        if header_line.strip():
            break
        blank.append(header_line)
    else:
        return
    delimiter = delimiter or max(",;\t", key=header_line.count)
    records = csv.reader(chain(blank, [header_line], lines), delimiter=delimiter, strict=True)
    header: tuple[str, ...] = ()
    while True:
        line = records.line_num + 1
        cells = _next_record(name, line, records)
        if cells is None:
            return
        if isinstance(cells, BadRow) and not header:
            raise InputError(f"{cells.message} This is the header; mend it.")
        if isinstance(cells, BadRow):
            yield cells
        elif cells and not header:
            header = _checked_header(f"{name}:{line}", cells)
        elif cells:
            yield _row(f"{name}:{line}", header, cells)


def parquet_rows(name: str, file: Path | BinaryIO) -> Iterator[RawRow]:
    """Reads a Parquet file batch by batch.

    Args:
        name: What to call the source in locations.
        file: The file.

    Yields:
        The rows; a location is `"NAME row N"`, counted from 1.

    Raises:
        MissingExtraError: pyarrow is not installed.
        InputError: The file is no Parquet, or repeats a column name.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet", f"Reading the Parquet file {name}") from None
    try:
        with pq.ParquetFile(file) as parquet:
            _refuse_repeats(name, parquet.schema_arrow.names)
            number = 0
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield RawRow(f"{name} row {number}", values)
    except pa.ArrowException as error:
        raise InputError(f"{name} cannot be read as Parquet: {error}") from None


def _next_record(name: str, line: int, records: Iterator[list[str]]) -> list[str] | BadRow | None:
    """The next record; csv's limit on cells is global, so it is lifted for this one step only."""
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        return next(records, None)
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise InputError(
                f"{name}:{line}: a quoted cell begins in this row and never ends, which swallows "
                "the rest of the file. Close the quote."
            ) from None
        return BadRow(
            f"{name}:{line}",
            f"a broken CSV row ({error})",
            'quotes around a whole cell, and "" for a quote inside it',
        )
    finally:
        csv.field_size_limit(limit)


def _checked_header(location: str, cells: Sequence[str]) -> tuple[str, ...]:
    header = tuple(cell.strip() for cell in cells)
    if any(not_unicode(cell) for cell in header):
        raise InputError(f"{location}: the header is not UTF-8. Save the file as UTF-8.")
    _refuse_repeats(location, header)
    return header


def _row(location: str, header: Sequence[str], cells: Sequence[str]) -> RawRow | BadRow:
    if len(cells) != len(header):
        return BadRow(location, _cells(len(cells)), f"{_cells(len(header))} ({', '.join(header)})")
    for column, cell in zip(header, cells, strict=True):
        if not_unicode(cell):
            return BadRow(location, f"invalid UTF-8 in column {column!r}", "UTF-8 text")
    return RawRow(location, dict(zip(header, cells, strict=True)))


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"


def _refuse_repeats(location: str, columns: Iterable[str]) -> None:
    repeated = [repr(column) for column, count in Counter(columns).items() if count > 1]
    if repeated:
        raise InputError(
            f"{location}: the column name {', '.join(repeated)} occurs more than once; "
            "give each column a name of its own."
        )
