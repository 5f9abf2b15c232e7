"""A benchmark's data on disk: a file, a folder of files, a saved data set, a folder of classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headwise.benchmarks.reading.class_names import (
    class_names,
    class_names_of_parquet,
    with_class_names,
)
from headwise.benchmarks.reading.row import Row
from headwise.errors import InputError, MissingExtraError
from headwise.evaluation.items import Header
from headwise.readers.folder_rows import scan_folder
from headwise.readers.hub_rows import with_encoded_pictures
from headwise.readers.result import BadRow, RawRow
from headwise.readers.sources import open_source

_TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".pq")
# What lies beside data and is none.
_NO_DATA = (
    *("dataset_infos.json", "dataset_info.json", "metadata.json", "state.json"),
    *("dataset_dict.json", "config.json"),
)
_SPLIT_WORDS = ("train", "test", "val", "validation", "dev", "filtered")


def local_rows(path: Path, header: Header, split: str) -> Iterator[Row]:
    """The rows in a file or folder; see `headwise.benchmarks.sources.load_rows`.

    Args:
        path: The file or folder.
        header: Which benchmark.
        split: The split.

    Yields:
        The rows, in the order of the data; of several files in the order of their names.

    Raises:
        InputError: There is no such path, no data in it, or a row that cannot be read.
        MissingExtraError: The format needs a package that is not installed.
    """
    path = path.expanduser()
    if not path.exists():
        raise InputError(
            f"There is no file or folder '{path}'. Give the data of {header.title} as a file or "
            "folder: --data PATH."
        )
    names_splits = (path / "dataset_dict.json").exists() or has_split(path, split)
    if split != header.split and not names_splits:
        raise InputError(
            f"'{path}' does not tell the split {split!r} from others. Give a folder with files or "
            f"folders that are named {split} and {header.split}."
        )
    if path.is_file():
        yield from _file_rows(path)
    elif (path / "dataset_dict.json").exists() or (path / "state.json").exists():
        yield from _saved_rows(path, split)
    else:
        files = _files_of(path, header, split)
        if files:
            for file in files:
                yield from _file_rows(file)
        else:
            yield from _class_rows(path, split)


def has_split(path: Path, split: str) -> bool:
    """Whether data tells the rows of a split from those of others, by names of files or folders.

    Args:
        path: A file or folder, as `local_rows` takes it.
        split: The split.

    Returns:
        False too where there is no such path.
    """
    path = path.expanduser()
    if not path.is_dir():
        return path.is_file() and _is_of_split(Path(path.name), split)
    if (path / "state.json").exists():
        return False
    return (path / split).is_dir() or any(
        _is_of_split(table.relative_to(path), split) for table in _tables_in(path)
    )


def _file_rows(path: Path) -> Iterator[Row]:
    part = path.name.split(".")[0]
    entries = _entries(path) if path.suffix.lower() == ".json" else None
    if entries is not None:
        for key, values in entries.items():
            raw = RawRow(f"{path} entry {key!r}", {"id": key, **values})
            yield Row(raw, path.parent, part)
        return
    source = open_source(path)
    names = class_names_of_parquet(path) if source.format == "parquet" else {}
    for row in source.rows():
        if isinstance(row, BadRow):
            raise InputError(row.message)
        raw = RawRow(row.location, with_class_names(row.values, names))
        yield Row(raw, source.folder, part)


def _entries(path: Path) -> dict[str, dict[str, object]] | None:
    """The rows of a JSON document of a form that lists of objects are not, by their keys.

    An object of objects (`{"0": {...}, "1": {...}}`), or a list of lists, whose columns are called
    by their place (`"0"`, `"1"`, ...).
    """
    with path.open("rb") as file:
        head = file.read(64).lstrip().replace(b" ", b"")
    if not head.startswith((b"{", b"[[")):
        return None
    try:
        held = json.loads(path.read_text("utf-8-sig"))
    except ValueError:
        return None  # One object a line, or broken: the reader of JSON says which.
    if isinstance(held, list) and all(isinstance(values, list) for values in held):
        return {
            str(number): {str(place): value for place, value in enumerate(values)}
            for number, values in enumerate(held)
        }
    is_table = isinstance(held, dict) and bool(held)
    return held if is_table and all(isinstance(v, dict) for v in held.values()) else None


def _saved_rows(path: Path, split: str) -> Iterator[Row]:
    try:
        import datasets
    except ImportError:
        raise MissingExtraError("datasets", "hub", f"Reading the saved data set {path}") from None
    try:
        loaded: Any = datasets.load_from_disk(str(path))
    except Exception as error:  # datasets and pyarrow raise what they like on damaged files.
        raise InputError(
            f"The saved data set {path} cannot be read: {type(error).__name__}: {error}"
        ) from error
    place = str(path)
    if isinstance(loaded, dict):
        if split not in loaded:
            raise InputError(
                f"The saved data set {path} has no split {split!r}; it has {', '.join(loaded)}."
            )
        loaded, place = loaded[split], f"{path}:{split}"
    names = class_names(loaded)
    for number, values in enumerate(with_encoded_pictures(loaded), start=1):
        yield Row(RawRow(f"{place} row {number}", with_class_names(values, names)), path)


def _tables_in(folder: Path) -> list[Path]:
    """The files of a folder that may hold rows, sorted."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.name.removesuffix(".gz").lower().endswith(_TABLES)
        and path.name not in _NO_DATA
        and not any(one.startswith(".") for one in path.relative_to(folder).parts)
    ]


def _files_of(folder: Path, header: Header, split: str) -> list[Path]:
    """The files of tables in a folder that hold a split; none where it holds no table."""
    found = _tables_in(folder)
    wanted = [Path(file).name for file in header.files] if split == header.split else []
    named = [path for path in found if path.name in wanted]
    if named:
        return sorted(named, key=lambda path: wanted.index(path.name))
    of_split = [path for path in found if _is_of_split(path.relative_to(folder), split)]
    if of_split:
        return of_split
    unsplit = [
        path
        for path in found
        if not any(_is_of_split(path.relative_to(folder), word) for word in _SPLIT_WORDS)
    ]
    if found and not unsplit:
        names = ", ".join(str(path.relative_to(folder)) for path in found[:10])
        raise InputError(
            f"'{folder}' has no file of the split {split!r}; it has {names}. Name one of them, or "
            "name its split."
        )
    return unsplit


def _is_of_split(path: Path, split: str) -> bool:
    """Whether a file is named after a split (`test.json`, `data/test-00000-of-00001.parquet`)."""
    stem = path.name.split(".")[0].casefold()
    split = split.casefold()
    named = stem == split or (stem.startswith(split) and not stem[len(split)].isalnum())
    return named or split in (part.casefold() for part in path.parts[:-1])


def _class_rows(folder: Path, split: str) -> Iterator[Row]:
    """A row for each picture in a folder of classes, or in such a folder of the split's name."""
    inside = folder / split
    for raw in scan_folder(inside if inside.is_dir() else folder).rows:
        yield Row(raw)
