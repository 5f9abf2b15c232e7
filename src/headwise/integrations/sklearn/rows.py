"""What scikit-learn hands over as `X`, as examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from headwise.content import Image
from headwise.errors import InputError
from headwise.examples import Example, as_example
from headwise.integrations.tables import Columns, Table, examples_of_table


def examples_of(rows: Any, columns: Columns) -> list[Example]:
    """Examples from any form of `X`.

    Args:
        rows: `n` texts, `Example`s or pictures in a list, a 1-D array or a series; or a data frame
            of `n` rows (pandas, or what has `columns` and gives a column by its name).
        columns: Which columns count; of a data frame only.

    Returns:
        `n` examples; their labels are not looked at.

    Raises:
        InputError: It is one example instead of many, has two dimensions without column names,
            lacks a column, or a row is none; names the row.
    """
    if hasattr(rows, "columns") and hasattr(rows, "__getitem__"):
        names = tuple(str(name) for name in rows.columns)
        return examples_of_table(Table("X", names, len(rows), rows.__getitem__), columns)
    return [_checked(number, row) for number, row in enumerate(_listed(rows))]


def _listed(rows: Any) -> list[Any]:
    if isinstance(rows, str | bytes | Mapping | Example | Image):
        raise InputError(
            f"X is a list of examples or a data frame; got one {type(rows).__name__}. For a single "
            "example give a list of one."
        )
    if not hasattr(rows, "__len__") or not hasattr(rows, "__getitem__"):
        raise InputError(
            "X is a list of texts, Examples or pictures, a series or a data frame; got "
            f"{type(rows).__name__}."
        )
    if isinstance(rows, np.ndarray):
        # A column of texts, as scikit-learn's own transformers give it.
        if rows.ndim == 2 and rows.shape[1] == 1 and rows.dtype.kind in "OU":
            rows = rows[:, 0]
        if rows.ndim not in (1, 3, 4):
            raise InputError(
                f"X has shape {rows.shape}, which is neither texts (n,) nor pictures (n, height, "
                "width, channels). Columns need names: give a pandas data frame."
            )
    return list(rows)


def _checked(number: int, row: Any) -> Example:
    try:
        return as_example(row)
    except InputError as error:
        raise InputError(f"Row {number} of X: {error}") from error
