"""The rows of a benchmark: from the Hub, or from what the user has on disk."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from headwise.benchmarks.reading.class_names import class_names, with_class_names
from headwise.benchmarks.reading.local import has_split, local_rows
from headwise.benchmarks.reading.row import Row
from headwise.errors import InputError, MissingExtraError
from headwise.evaluation.items import Header
from headwise.readers.hub_rows import with_encoded_pictures
from headwise.readers.result import RawRow


def load_rows(
    header: Header,
    data: str | Path | None = None,
    *,
    split: str | None = None,
    limit: int | None = None,
    revision: str | None = None,
) -> tuple[Row, ...]:
    """Reads the rows of a benchmark.

    Args:
        header: Which benchmark.
        data: A file (JSONL, JSON, CSV, TSV, Parquet), a folder of such files, a data set that
            `datasets` saved with `save_to_disk`, or a folder with a folder of pictures for each
            class; None for the Hub or its local cache. A folder with several splits may name them
            by folders or files.
        split: The split; the header's where None.
        limit: At most this many rows. From the Hub only these are downloaded.
        revision: The revision on the Hub; the header's where None.

    Returns:
        The rows, at least one, each with its location.

    Raises:
        InputError: The data cannot be had, or holds no row; says how to give it.
        MissingExtraError: `datasets` or `pyarrow` is needed and not installed.
    """
    if limit is not None and limit < 1:
        raise InputError(f"A limit of {limit} rows leaves none; give 1 at least.")
    split = split or header.split
    if data is not None:
        rows = local_rows(Path(data), header, split)
    elif header.dataset:
        rows = _hub_rows(header, split, revision or header.revision, limit)
    else:
        raise InputError(
            f"{header.title} is not on the Hub. Get it from {header.source} and give it: --data "
            f"FOLDER. It needs: {', '.join(header.fields)}."
        )
    found = tuple(islice(rows, limit))
    if not found:
        raise InputError(f"{data or header.dataset} holds no row of the split {split!r}.")
    return found


def load_support(
    header: Header,
    data: str | Path | None = None,
    *,
    limit: int | None = None,
    revision: str | None = None,
) -> tuple[Row, ...] | None:
    """Reads the rows that support examples come from.

    Args:
        header: Which benchmark.
        data: As in `load_rows`.
        limit: At most this many rows.
        revision: The revision on the Hub; the header's where None.

    Returns:
        The rows of the header's support split. None where it has none, or where data on disk does
        not have it apart: then support is to be taken out of the scored rows.

    Raises:
        InputError: The data cannot be had.
        MissingExtraError: `datasets` or `pyarrow` is needed and not installed.
    """
    if header.support is None or (data is not None and not has_split(Path(data), header.support)):
        return None
    return load_rows(header, data, split=header.support, limit=limit, revision=revision)


def _hub_rows(header: Header, split: str, revision: str | None, limit: int | None) -> Iterator[Row]:
    try:
        import datasets
    except ImportError:
        raise MissingExtraError(
            "datasets", "hub", f"Reading {header.title} from the Hugging Face Hub"
        ) from None
    parts: list[tuple[str, dict[str, Any]]] = [("", {"split": split})]
    if header.configs:
        parts = [(name, {"name": name, "split": split}) for name in header.configs]
    elif header.files and split == header.split:
        # Files that make up a data set have one split each, whatever the benchmark calls it.
        parts = [(Path(f).stem, {"data_files": f, "split": "train"}) for f in header.files]
    for part, asked in parts:
        try:
            loaded = datasets.load_dataset(
                header.dataset, revision=revision, streaming=limit is not None, **asked
            )
            names = class_names(loaded)
            place = f"{header.dataset}:{part or split}"
            for number, values in enumerate(with_encoded_pictures(loaded), start=1):
                raw = RawRow(f"{place} row {number}", with_class_names(values, names))
                yield Row(raw, part=part, may_name_files=False)
        except InputError:
            raise
        except Exception as error:  # datasets, huggingface_hub and the network raise their own.
            raise _unreachable(header, split, error) from error


def _unreachable(header: Header, split: str, error: Exception) -> InputError:
    return InputError(
        f"{header.title} could not be read from the Hub (data set {header.dataset}, split {split}):"
        f" {type(error).__name__}: {error}\nCheck the network, and HF_TOKEN for a gated data set;"
        " or download it elsewhere and give it: --data PATH, a file (JSONL, JSON, CSV, TSV,"
        " Parquet), a folder of them, or a folder that datasets' save_to_disk wrote."
    )
