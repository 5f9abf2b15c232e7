"""Labels that a table holds as numbers, and the names that these stand for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headwise.errors import MissingExtraError


def class_names(loaded: Any) -> dict[str, list[str]]:
    """The class names that a data set of `datasets` knows of its columns, in their order."""
    features = getattr(loaded, "features", None) or {}
    return {
        column: list(feature.names)
        for column, feature in features.items()
        if type(feature).__name__ == "ClassLabel"
    }


def class_names_of_parquet(path: Path) -> dict[str, list[str]]:
    """The class names that `datasets` wrote into a Parquet file; none where it did not.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet", f"Reading the Parquet file {path}") from None
    try:
        written = (pq.read_schema(path).metadata or {}).get(b"huggingface")
    except (pa.ArrowException, OSError):
        return {}  # What is wrong with the file is told by who reads its rows.
    if written is None:
        return {}
    features = json.loads(written).get("info", {}).get("features", {})
    return {
        column: list(feature["names"])
        for column, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
    }


def with_class_names(
    values: Mapping[str, object], names: Mapping[str, list[str]]
) -> Mapping[str, object]:
    """A row with the names of its classes where the data has their numbers.

    Args:
        values: The row.
        names: Class names by column, in the order of their numbers.

    Returns:
        The row; a label that stands for no class (-1) becomes None.
    """
    if not names:
        return values
    changed = dict(values)
    for column, known in names.items():
        number = changed.get(column)
        if isinstance(number, int):
            changed[column] = known[number] if 0 <= number < len(known) else None
    return changed
