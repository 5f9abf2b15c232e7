"""`Row`: one row of a benchmark's data, and what its columns hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from headwise.content import Image
from headwise.errors import InputError
from headwise.examples import Prompt
from headwise.readers.columns import Wanted
from headwise.readers.pictures import pictures_in
from headwise.readers.result import RawRow, describe
from headwise.readers.values import BadValueError, is_list, prompt_in, scalar


@dataclass(frozen=True, slots=True, eq=False)
class Row(Mapping[str, object]):
    """One row, which says of each of its columns what is wrong with it.

    Columns are looked for by all the names that published copies of a data set give them;
    capitals do not matter.

    Args:
        raw: The values, and where they are, such as `"test.jsonl:12"`.
        folder: Where relative paths in it begin; the current folder where None.
        part: The file or configuration it is from, such as `"helpful"` of `helpful.jsonl`.
        may_name_files: Whether a text can be the path of a picture; not in rows of the Hub.
    """

    raw: RawRow
    folder: Path | None = None
    part: str = ""
    may_name_files: bool = True

    def __getitem__(self, column: str) -> object:
        return self.raw.values[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw.values)

    def __len__(self) -> int:
        return len(self.raw.values)

    @property
    def location(self) -> str:
        """Where it is, for errors."""
        return self.raw.location

    def find(self, *names: str) -> str | None:
        """The first of some columns that the row has; None where it has none of them."""
        return Wanted("", tuple(name.casefold() for name in names)).among(tuple(self))

    def column(self, *names: str) -> str:
        """As `find`.

        Raises:
            InputError: The row has none of them; lists its columns.
        """
        found = self.find(*names)
        if found is None:
            self.refuse(
                f"no column {' or '.join(map(repr, names))} (columns: {', '.join(self) or 'none'})",
                "it; give the data as published, or rename a column",
            )
        return found

    def refuse(self, found: str, expected: str) -> NoReturn:
        """Raises the error of a row that cannot be used."""
        raise InputError(f"{self.location}: found {found}; expected {expected}.")

    def text(self, *names: str, may_be_empty: bool = False) -> str:
        """The text in a column; numbers become text.

        Raises:
            InputError: The column is missing, or holds no text.
        """
        column = self.column(*names)
        text = scalar(self[column])
        if text is None or not (may_be_empty or text.strip()):
            self.refuse(f"{describe(self[column])} in column {column!r}", "text")
        return text

    def optional(self, *names: str) -> str | None:
        """The text in a column, or None where there is none; pandas' `"nan"` counts as none."""
        column = self.find(*names)
        text = None if column is None else scalar(self[column])
        return None if text is None or text.strip() in ("", "nan") else text

    def sequence(self, *names: str) -> Sequence[object]:
        """The list in a column; one that a cell of a CSV file spells in JSON counts too.

        Raises:
            InputError: The column is missing, or holds no list.
        """
        column = self.column(*names)
        value = self[column]
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                value = None
        if not isinstance(value, Sequence) or not is_list(value):
            self.refuse(f"{describe(self[column])} in column {column!r}", "a list")
        return value

    def texts(self, *names: str) -> tuple[str, ...]:
        """The texts of the list in a column; numbers become text.

        Raises:
            InputError: The column is missing, is no list, or holds what is no text.
        """
        return self.texts_of(self.sequence(*names), self.column(*names))

    def texts_of(self, values: Sequence[object], column: str) -> tuple[str, ...]:
        """Values of a column as texts.

        Raises:
            InputError: One is none.
        """
        texts = [scalar(value) for value in values]
        if None in texts or not texts:
            self.refuse(f"a list with {describe(list(values))} in column {column!r}", "texts in it")
        return tuple(text for text in texts if text is not None)

    def prompt(self, *names: str) -> Prompt:
        """The prompt in a column: text, or chat messages.

        Raises:
            InputError: The column is missing, or holds neither.
        """
        try:
            return prompt_in(self.raw, self.column(*names))
        except BadValueError as error:
            self.refuse(error.found, error.expected)

    def truth(self, *names: str) -> bool:
        """The true or false in a column.

        Raises:
            InputError: The column is missing, or holds neither.
        """
        column = self.column(*names)
        said = (scalar(self[column]) or "").strip().casefold()
        if said not in ("true", "false", "yes", "no", "1", "0"):
            self.refuse(f"{describe(self[column])} in column {column!r}", "true or false")
        return said in ("true", "yes", "1")

    def images(self, *names: str, required: bool = True) -> tuple[Image, ...]:
        """The pictures in a column; each must begin as a picture does.

        Args:
            names: The column's names.
            required: Whether there must be one.

        Returns:
            The pictures.

        Raises:
            InputError: There is none and must be one, or one cannot be read; names file and row.
        """
        column = self.column(*names) if required else self.find(*names)
        if column is None:
            return ()
        values = {**self.raw.values, column: self._placed(column)}
        try:
            found = pictures_in(replace(self.raw, values=values), column, self.folder)
        except BadValueError as error:
            self.refuse(error.found, error.expected)
        if required and not found:
            self.refuse(f"no picture in column {column!r}", "one")
        return found

    def image(self, *names: str) -> Image:
        """The first picture in a column.

        Raises:
            InputError: As `images`.
        """
        return self.images(*names)[0]

    def _placed(self, column: str) -> object:
        """The value of a column of pictures, with names of files led to where they are."""
        value = self[column]
        if isinstance(value, str) and not value.lstrip().startswith("["):
            return self._path_of(value, column)
        if isinstance(value, Sequence) and is_list(value):
            return [self._path_of(v, column) if isinstance(v, str) else v for v in value]
        is_named = isinstance(value, Mapping) and not value.get("bytes")
        if is_named and not self.may_name_files:
            self._refuse_file(column)
        return value

    def _path_of(self, name: str, column: str) -> str:
        if name.startswith("data:") or len(name) > 1000:
            return name
        if not self.may_name_files:
            self._refuse_file(column)
        if self.folder is None or Path(name).is_absolute() or (self.folder / name).exists():
            return name
        # Data sets are often published with their pictures in an archive of their own.
        inside = sorted(folder for folder in self.folder.iterdir() if folder.is_dir())
        led = next((folder / name for folder in inside if (folder / name).is_file()), None)
        return name if led is None else str(led.relative_to(self.folder))

    def _refuse_file(self, column: str) -> NoReturn:
        self.refuse(
            f"the name of a file in column {column!r}, which the Hub's table does not hold",
            "pictures; download the data set with its pictures and give its folder: --data FOLDER",
        )


def as_rows(rows: Sequence[Mapping[str, object]]) -> list[Row]:
    """Rows in any form as `Row`s; those without a location are called by their number.

    Raises:
        InputError: There is no row.
    """
    if not rows:
        raise InputError("The data holds no row; give a file or split that has some.")
    return [
        row if isinstance(row, Row) else Row(RawRow(f"row {number}", row))
        for number, row in enumerate(rows, start=1)
    ]


def distinct(names: Sequence[str]) -> list[str]:
    """Names of items, with `#2` and so on behind those that repeat."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found
