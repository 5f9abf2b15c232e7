"""What scikit-learn hands over as `X`, as examples."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headwise.content import Image, as_images
from headwise.errors import InputError, shortened
from headwise.examples import Example, as_example
from headwise.prompts.template import IMAGE_PLACES


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a data frame an example is made of.

    Args:
        text: The column of its text, for the place `{text}`.
        image: The column of its pictures; None where it has none.
        named: Every place of the instruction.
    """

    text: str
    image: str | None
    named: tuple[str, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that fill places of their own name."""
        pictures = IMAGE_PLACES if self.image is not None else ()
        return tuple(name for name in self.named if name != "text" and name not in pictures)


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
        return _examples_of_frame(rows, columns)
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


def _examples_of_frame(frame: Any, columns: Columns) -> list[Example]:
    fields = {name: _texts(frame, name) for name in columns.fields}
    if "text" in columns.named:
        texts = _texts(frame, columns.text)
    else:
        # The model sees no text of its own: the first field stands for it in messages.
        texts = next(iter(fields.values()), [""] * len(frame))
    images = [()] * len(frame) if columns.image is None else _column(frame, columns.image)
    return [
        _example(number, text, {name: fields[name][number] for name in fields}, shown)
        for number, (text, shown) in enumerate(zip(texts, images, strict=True))
    ]


def _example(number: int, text: str, fields: Mapping[str, str], shown: Any) -> Example:
    try:
        pictures = () if _is_missing(shown) else as_images(shown, origin=f"row {number}")
        return Example(text, fields=fields, images=pictures)
    except InputError as error:
        raise InputError(f"Row {number} of X: {error}") from error


def _texts(frame: Any, name: str) -> list[str]:
    return [_text(name, number, value) for number, value in enumerate(_column(frame, name))]


def _column(frame: Any, name: str) -> Sequence[Any]:
    names = [str(column) for column in _names(frame)]
    if name not in names:
        raise InputError(
            f"X has no column {name!r}; it has {', '.join(names) or 'none'}. Say which one holds "
            "the text with text_column, or rename the place in the instruction."
        )
    return list(frame[name])


def _names(frame: Any) -> Iterable[Any]:
    names: Iterable[Any] = frame.columns
    return names


def _text(column: str, number: int, value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if _is_missing(value):
        raise InputError(f"Row {number} of X has no value in the column {column!r}.")
    if isinstance(value, numbers.Number | np.bool_):
        return str(value)
    raise InputError(
        f"Row {number} of X has {shortened(value)} in the column {column!r}; expected text."
    )


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)
