"""`Source`: a file, standard input or a Hub dataset, opened once and read as often as needed."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from headwise.errors import InputError
from headwise.readers.folder_rows import (
    PICTURE_SUFFIXES,
    begins_as_picture,
    picture_row,
    scan_folder,
)
from headwise.readers.hub_rows import HubId, hub_rows
from headwise.readers.json_rows import json_rows, jsonl_rows
from headwise.readers.result import BadRow, RawRow
from headwise.readers.table_rows import csv_rows, parquet_rows

Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "hub", "folder", "image"]

_SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_STDIN = "<stdin>"
_GZIP_MAGIC = b"\x1f\x8b"
_PARQUET_MAGIC = b"PAR1"
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SNIFFED_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from; made by `open_source`, and read any number of times.

    Args:
        name: What locations call it.
        format: The format of its rows.
        path: The file, where there is one that can be read again.
        content: The bytes of standard input or a pipe, which can be read once only.
        hub_id: The dataset, for the format `"hub"`.
    """

    name: str
    format: Format
    path: Path | None = None
    content: bytes | None = None
    hub_id: HubId | None = None

    def rows(self) -> Iterator[RawRow | BadRow]:
        """Reads the rows from the start, as a stream where the format allows.

        Yields:
            A row, or a bad row where a line is not readable.

        Raises:
            InputError: Nothing behind some place is readable.
            MissingExtraError: The format needs a package that is not installed.
        """
        if self.hub_id is not None:
            yield from hub_rows(self.hub_id)
        elif self.path is not None and self.format == "folder":
            with _readable(self.name):
                yield from scan_folder(self.path).rows
        elif self.path is not None and self.format == "image":
            yield picture_row(self.path)
        elif self.format == "parquet":
            file = self.path if self.path is not None else io.BytesIO(self.content or b"")
            with _readable(self.name):
                yield from parquet_rows(self.name, file)
        else:
            with _readable(self.name), _open(self.path, self.content) as stream:
                if _head(self.path, self.content, 2) in _UTF16_MARKS:
                    raise InputError(f"{self.name}:1: the file is UTF-16 text. Save it as UTF-8.")
                yield from self._text_rows(stream)

    @property
    def folder(self) -> Path | None:
        """Where the relative paths in its rows begin; the current folder where None."""
        is_data = self.path is not None and self.format not in ("folder", "image")
        return self.path.parent if self.path is not None and is_data else None

    def notes(self) -> tuple[str, ...]:
        """What the user should know of the source: files of a folder that were passed over."""
        is_folder = self.path is not None and self.format == "folder"
        return scan_folder(self.path).notes if self.path is not None and is_folder else ()

    def _text_rows(self, stream: BinaryIO) -> Iterator[RawRow | BadRow]:
        match self.format:
            case "jsonl":
                return jsonl_rows(self.name, stream)
            case "json":
                return json_rows(self.name, stream)
            case "tsv":
                return csv_rows(self.name, stream, delimiter="\t")
            case _:
                return csv_rows(self.name, stream)


SourceLike = str | os.PathLike[str] | Source
"""What every reader takes: a path, `"-"` for standard input, a Hub dataset id, or a `Source`."""


def open_source(source: SourceLike) -> Source:
    """Finds out what a source is; standard input and pipes are read here, once.

    Args:
        source: A path (JSONL, JSON, CSV, TSV, Parquet; text may be gzipped), `"-"` for JSONL on
            standard input, a folder with a folder of pictures for each class, a picture, or a Hub
            dataset: `ORG/NAME`, `ORG/NAME:SPLIT`, `ORG/NAME/CONFIG:SPLIT`. What exists as a file
            or folder is one.

    Returns:
        The source; a `Source` is returned as it is.

    Raises:
        InputError: There is no such file, its format cannot be told, or a folder or a class in it
            holds no picture.
    """
    if isinstance(source, Source):
        return source
    name = os.fspath(source)
    if name == "-":
        content = sys.stdin.buffer.read()
        return Source(_STDIN, _format_of_stdin(content), content=content)
    with _readable(name):
        return _open_path(name, Path(name))


def _open_path(name: str, path: Path) -> Source:
    if path.is_dir():
        scan_folder(path)  # An empty one is told at once.
        return Source(name, "folder", path=path)
    if not path.exists():
        return Source(name, "hub", hub_id=_hub_id_or_error(name))
    if path.is_file() and _is_picture(path):
        return Source(name, "image", path=path)
    if path.is_file():
        return Source(name, _format_of_file(name, path, None), path=path)
    content = path.read_bytes()
    return Source(name, _format_of_file(name, path, content), content=content)


def _is_picture(path: Path) -> bool:
    if path.name.lower().removesuffix(".gz").endswith(tuple(_SUFFIXES)):
        return False
    return path.suffix.lower() in PICTURE_SUFFIXES or begins_as_picture(path)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{name}: the gzip file is damaged or cut off ({error}). Download or compress it again."
        ) from None
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error}") from error


def _open(path: Path | None, content: bytes | None) -> BinaryIO:
    """The bytes of what was read of a pipe, or of a file, unzipped whatever the file is called."""
    if content is not None:
        path = None
    plain: BinaryIO = io.BytesIO(content or b"") if path is None else path.open("rb")
    zipped = plain.read(2) == _GZIP_MAGIC
    plain.seek(0)
    if not zipped:
        return plain
    if path is None:
        return cast("BinaryIO", gzip.open(plain, "rb"))
    plain.close()
    return cast("BinaryIO", gzip.open(path, "rb"))


def _head(path: Path | None, content: bytes | None, size: int) -> bytes:
    with _open(path, content) as stream:
        return stream.read(size)


def _format_of_stdin(content: bytes) -> Format:
    return "json" if content.lstrip(codecs.BOM_UTF8 + b" \t\r\n")[:1] == b"[" else "jsonl"


def _format_of_file(name: str, path: Path, content: bytes | None) -> Format:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    known = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    return known or _sniff(name, path, content)


def _sniff(name: str, path: Path, content: bytes | None) -> Format:
    """Tells the format of a file with an unknown ending from its first line."""
    head = _head(path, content, _SNIFFED_BYTES)
    if head.startswith(_PARQUET_MAGIC):
        return "parquet"
    first_line = (head.lstrip(codecs.BOM_UTF8 + b" \r\n").splitlines() or [b""])[0]
    if first_line[:1] in (b"{", b"[", b""):
        return "json"
    if b"\t" in first_line:
        return "tsv"
    if b"," in first_line or b";" in first_line:
        return "csv"
    endings = ", ".join(_SUFFIXES)
    raise InputError(
        f"The format of '{name}' cannot be told from its name or its first line; give a file that "
        f"ends in one of {endings} (text may be gzipped: .gz)."
    )


def _hub_id_or_error(name: str) -> HubId:
    hub_id = HubId.parse(name)
    if hub_id is None or Path(name.removesuffix(".gz")).suffix.lower() in _SUFFIXES:
        raise InputError(
            f"There is no file '{name}'. Give a file, - for standard input, or a dataset of the "
            "Hugging Face Hub: ORG/NAME, ORG/NAME:SPLIT or ORG/NAME/CONFIG:SPLIT."
        )
    return hub_id
