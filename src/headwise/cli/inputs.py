"""What commands read: bad rows told, columns of the instruction checked, support sets drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from headwise.cli.console import warn
from headwise.content import Content, parts_of
from headwise.errors import InputError
from headwise.examples import Example, Judgement, Preference, Prompt, images_of
from headwise.jobs import Row, plain_row
from headwise.prompts.conversation import parse_messages
from headwise.prompts.template import IMAGE_PLACES, places
from headwise.readers import BadRow, ReadResult
from headwise.readers.result import refuse_bad_rows

T = TypeVar("T")
Item = Example | Preference | Judgement
ItemT = TypeVar("ItemT", Example, Preference, Judgement)


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
    """Warns where rows were left out, and of what else should be known of the source."""
    for note in result.notes:
        warn(note)
    if result.bad:
        warn(
            f"{len(result.bad)} of {len(result.bad) + len(result)} rows were left out, the first "
            f"being {result.bad[0].message}"
        )


def with_instructed_fields(
    source: str, result: ReadResult[Example], instruction: str, *, skip_bad: bool
) -> ReadResult[Example]:
    """Keeps the fields that the instruction asks for, and checks that every example has them.

    Where the instruction has no place at all, every example must have pictures.

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
        there = {*example.fields, *(IMAGE_PLACES if example.images else ())}
        missing = [name for name in wanted if name not in there]
        location, columns = result.locations[position], ", ".join(result.rows[position])
        if missing:
            found = f"no text in a column {missing[0]!r} (columns: {columns})"
            asked = f"the columns that the instruction {instruction!r} asks for"
            bad.append(BadRow(location, found, asked))
        elif not places(instruction) and not example.images:
            found = f"no image, and no place for a text in the instruction {instruction!r}"
            bad.append(BadRow(location, found, "{text} in the instruction, or an image"))
        else:
            kept.append(position)
            fields = {name: example.fields[name] for name in wanted if name in example.fields}
            examples.append(replace(example, fields=fields))
    if bad and (not skip_bad or not kept):
        refuse_bad_rows(source, bad, len(result))
    chosen = rows_at(result, kept)
    return replace(chosen, items=tuple(examples), bad=(*result.bad, *bad))


def with_sound_images(
    source: str, result: ReadResult[ItemT], *, skip_bad: bool
) -> ReadResult[ItemT]:
    """Decodes the images of a support set once, so that a bad one is told before the model runs.

    Args:
        source: The name of the source, for the error.
        result: The rows.
        skip_bad: Whether rows with a bad image are left out instead, with a warning.

    Returns:
        The rows whose images can all be decoded.

    Raises:
        InputError: An image cannot be decoded, and `skip_bad` is off; or no row is left.
    """
    reasons = [image_error(item) for item in result.items]
    kept = [row for row, reason in enumerate(reasons) if reason is None]
    bad: tuple[BadRow, ...] = tuple(
        BadRow(result.locations[row], f"an image that cannot be used ({reason})", "a sound one")
        for row, reason in enumerate(reasons)
        if reason is not None
    )
    if not bad:
        return result
    if not skip_bad or not kept:
        refuse_bad_rows(source, bad, len(result))
    warn(f"{len(bad)} rows were left out, the first being {bad[0].message}")
    return replace(rows_at(result, kept), bad=(*result.bad, *bad))


def image_error(item: Item) -> str | None:
    """Why an image of an item cannot be decoded; None where all can."""
    for image in images_of(item):
        try:
            image.load()
        except InputError as error:
            return str(error).rstrip(".")
    return None


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


def texts_of(item: Item) -> list[str]:
    """Every text of an item that a method puts to the model."""
    match item:
        case Example():
            return [item.text, *item.fields.values()]
        case Preference():
            contents = [*_contents_of(item.shown_prompt), item.chosen, item.rejected]
        case Judgement():
            contents = [*_contents_of(item.shown_prompt), item.completion]
    return [part for content in contents for part in parts_of(content) if isinstance(part, str)]


def _contents_of(prompt: Prompt) -> list[Content]:
    if isinstance(prompt, str):
        return [prompt]
    return [turn.content for turn in parse_messages(prompt)]


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
