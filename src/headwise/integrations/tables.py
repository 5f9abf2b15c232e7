"""Columns of a table, whatever framework holds it, as examples."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from headwise.content import Image, as_images
from headwise.errors import InputError, shortened
from headwise.examples import Example
from headwise.prompts.template import IMAGE_PLACES


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table an example is made of.

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


@dataclass(frozen=True, slots=True)
class Table:
    """A table of `n_rows` rows.

    Args:
        name: What errors call it, such as `"X"`.
        names: Its columns.
        n_rows: How many rows it has.
        values: The values of a column, by its name.
    """

    name: str
    names: tuple[str, ...]
    n_rows: int
    values: Callable[[str], Iterable[Any]]

    def column(self, name: str) -> list[Any]:
        """The values of one column.

        Raises:
            InputError: There is no such column; says which there are.
        """
        if name not in self.names:
            known = ", ".join(self.names) or "none"
            raise InputError(
                f"{self.name[0].upper()}{self.name[1:]} has no column {name!r}; it has {known}. "
                "Say which one is meant with text_column (or the option of the other kind), or "
                "name another in the instruction."
            )
        return list(self.values(name))

    def texts(self, name: str) -> list[str]:
        """The values of one column, as texts.

        Raises:
            InputError: There is no such column, or a value is missing or neither text nor number;
                names the row.
        """
        values = self.column(name)
        return [self._text(name, number, value) for number, value in enumerate(values)]

    def images(self, name: str) -> list[tuple[Image, ...]]:
        """The pictures of each row; a row without any has an empty tuple.

        Raises:
            InputError: There is no such column, or a value is no picture; names the row.
        """
        shown = []
        for number, value in enumerate(self.column(name)):
            try:
                origin = f"row {number}"
                shown.append(() if is_missing(value) else as_images(value, origin=origin))
            except InputError as error:
                raise InputError(f"Row {number} of {self.name}: {error}") from error
        return shown

    def _text(self, column: str, number: int, value: Any) -> str:
        if isinstance(value, str):
            return str(value)
        where = f"Row {number} of {self.name}"
        if is_missing(value):
            raise InputError(f"{where} has no value in the column {column!r}.")
        if isinstance(value, numbers.Number | np.bool_):
            return str(value)
        raise InputError(f"{where} has {shortened(value)} in the column {column!r}; expected text.")


def examples_of_table(table: Table, columns: Columns) -> list[Example]:
    """An example a row.

    Args:
        table: The table.
        columns: Which of its columns count.

    Returns:
        `n_rows` examples, without labels.

    Raises:
        InputError: A column is missing, or a row has nothing to show; names the row.
    """
    fields = {name: table.texts(name) for name in columns.fields}
    if "text" in columns.named:
        texts = table.texts(columns.text)
    else:
        # The model sees no text of its own: the first field stands for it in messages.
        texts = next(iter(fields.values()), [""] * table.n_rows)
    images: list[tuple[Image, ...]] = [()] * table.n_rows
    if columns.image is not None:
        images = table.images(columns.image)
    return [
        _example(table.name, number, text, {name: fields[name][number] for name in fields}, shown)
        for number, (text, shown) in enumerate(zip(texts, images, strict=True))
    ]


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, or a data frame's own mark."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def _example(
    table: str, number: int, text: str, fields: Mapping[str, str], images: tuple[Image, ...]
) -> Example:
    try:
        return Example(text, fields=fields, images=images)
    except InputError as error:
        raise InputError(f"Row {number} of {table}: {error}") from error
