"""What commands read: bad rows told, columns of the instruction checked, support sets drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from headwise.cli.console import warn
from headwise.errors import InputError
from headwise.examples import Example, Judgement, Preference, Prompt
from headwise.jobs import Row, plain_row
from headwise.prompts.template import places
from headwise.readers import BadRow, ReadResult
from headwise.readers.result import refuse_bad_rows

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Line(Generic[T]):
    """One row of the input file.

    Args:
        item: What it means.
        values: Its columns, as JSON can hold them.
    """

    item: T
    values: Row

    def gaining(self, gains: Row) -> Row:
        """The row with more columns; a column of the same name is replaced."""
        return {**self.values, **gains}


@dataclass(frozen=True, slots=True)
class Lines(Generic[T]):
    """The rows of the input file.

    Args:
        lines: The rows, in order.
        n_bad: Rows that could not be read and were left out.
        n_replaced: Numbers that were NaN or infinite and became null.
    """

    lines: tuple[Line[T], ...]
    n_bad: int
    n_replaced: int


def lines_of(result: ReadResult[T], gained: Sequence[str]) -> Lines[T]:
    """The rows as a command writes them again, with a warning for all that changes in them.

    Args:
        result: What was read.
        gained: Names of the columns that the command adds.

    Returns:
        The rows.
    """
    warn_of_bad_rows(result)
    plain = [plain_row(row) for row in result.rows]
    n_replaced = sum(row.n_replaced for row in plain)
    if n_replaced:
        warn(f"{n_replaced} numbers of the input are NaN or infinite; they become null.")
    lost = [name for name in gained if any(name in row for row in result.rows)]
    if lost:
        warn(f"The input has columns that are replaced in the output: {', '.join(lost)}.")
    lines = [Line(item, row.values) for item, row in zip(result.items, plain, strict=True)]
    return Lines(tuple(lines), len(result.bad), n_replaced)


def warn_of_bad_rows(result: ReadResult[T]) -> None:
    """Warns where rows were left out."""
    if result.bad:
        warn(
            f"{len(result.bad)} of {len(result.bad) + len(result)} rows were left out, the first "
            f"being {result.bad[0].message}"
        )


def with_instructed_fields(
    source: str, result: ReadResult[Example], instruction: str, *, skip_bad: bool
) -> ReadResult[Example]:
    """Keeps the fields that the instruction asks for, and checks that every example has them.

    Args:
        source: The name of the source, for the error.
        result: The examples.
        instruction: The instruction.
        skip_bad: Whether examples that lack a field are left out instead.

    Returns:
        The examples with those fields only.

    Raises:
        InputError: An example lacks a field, and `skip_bad` is off; or all do.
    """
    wanted = [name for name in places(instruction) if name != "text"]
    kept, examples, bad = [], [], []
    for position, example in enumerate(result.items):
        missing = [name for name in wanted if name not in example.fields]
        if missing:
            columns = ", ".join(result.rows[position])
            bad.append(
                BadRow(
                    result.locations[position],
                    f"no text in a column {missing[0]!r} (columns: {columns})",
                    f"the columns that the instruction {instruction!r} asks for",
                )
            )
        else:
            kept.append(position)
            fields = {name: example.fields[name] for name in wanted}
            examples.append(replace(example, fields=fields))
    if bad and (not skip_bad or not kept):
        refuse_bad_rows(source, bad, len(result))
    chosen = rows_at(result, kept)
    return replace(chosen, items=tuple(examples), bad=(*result.bad, *bad))


def drawn(result: ReadResult[T], kinds: Sequence[object], count: int, seed: int) -> ReadResult[T]:
    """Draws some rows of each kind at random; a kind that has fewer is taken whole, with a warning.

    Args:
        result: The rows.
        kinds: The kind of each row, such as its label.
        count: How many of each kind.
        seed: Seed of the draw.

    Returns:
        The rows drawn, in the order of the file.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    kept: list[int] = []
    for kind in dict.fromkeys(kinds):
        of_kind = [row for row, other in enumerate(kinds) if other == kind]
        if len(of_kind) < count:
            named = f" of {kind!r}" if isinstance(kind, str) else ""
            warn(f"There are {len(of_kind)} rows{named} only, where {count} were asked for.")
        kept += random.permutation(of_kind)[:count].tolist()
    return rows_at(result, sorted(kept))


def rows_at(result: ReadResult[T], positions: Sequence[int]) -> ReadResult[T]:
    """Some of the rows that were read; the bad ones stay on record."""
    return replace(
        result,
        items=tuple(result.items[i] for i in positions),
        rows=tuple(result.rows[i] for i in positions),
        locations=tuple(result.locations[i] for i in positions),
    )


def texts_of(item: Example | Preference | Judgement) -> list[str]:
    """Every text of an item that a method puts to the model."""
    match item:
        case Example():
            return [item.text, *item.fields.values()]
        case Preference():
            return [*_texts_of_prompt(item.prompt), item.chosen, item.rejected]
        case Judgement():
            return [*_texts_of_prompt(item.prompt), item.completion]


def _texts_of_prompt(prompt: Prompt) -> list[str]:
    if isinstance(prompt, str):
        return [prompt]
    contents = [turn["content"] for turn in prompt if isinstance(turn, Mapping)]
    return [content for content in contents if isinstance(content, str)]


def require_jsonl_name(path: str) -> None:
    """Checks that an output file is not named as what it will not be.

    Raises:
        InputError: The name ends as CSV, Parquet or zipped files do.
    """
    for ending in (".csv", ".tsv", ".parquet", ".gz"):
        if path.lower().endswith(ending):
            raise InputError(
                f"Rows are written as JSON Lines, but '{path}' is named as something else. Name a "
                "file that ends in .jsonl."
            )
