"""Prompts with several completions each -> one judgement a completion, to be scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from headwise.errors import InputError
from headwise.examples import Judgement
from headwise.readers.columns import Wanted
from headwise.readers.nouns import read_judgements
from headwise.readers.result import BadRow, RawRow, ReadResult, describe
from headwise.readers.sources import Source, SourceLike, open_source
from headwise.readers.values import is_list

COMPLETIONS = Wanted(
    "completions", ("completions", "responses", "samples", "candidates", "answers", "outputs")
)
COMPLETION = "completion"
"""The column that holds one of a row's completions."""


def read_candidates(
    source: SourceLike,
    *,
    prompt: str | None = None,
    completions: str | None = None,
    completion: str | None = None,
    image: str | Literal[False] | None = None,
    skip_bad: bool = False,
) -> ReadResult[Judgement]:
    """Reads completions that are to be compared with others of the same prompt.

    A row holds a prompt and a list of completions; or a prompt and one completion, and rows of
    equal prompts belong together. A completion is text, or a list of the assistant's messages.

    Args:
        source: A path, `"-"`, a Hub dataset or a `Source`; see `open_source`.
        prompt: The column of the prompt; None for the first of the usual names.
        completions: The column of the list of completions; None for the first of the usual names
            (`completions`, `responses`, `samples`, `candidates`, `answers`, `outputs`), if any.
        completion: The column of one completion, where rows have one each.
        image: The column of the prompt's pictures; see `read_examples`.
        skip_bad: Whether to go on without bad rows; they are in the result's `bad`.

    Returns:
        One judgement a completion, in order; the raw row of each has the completion in the column
        `completion` in place of the list.

    Raises:
        InputError: As for `read_examples`; or both kinds of columns are named.
        MissingExtraError: The format needs a package that is not installed.
    """
    if completions is not None and completion is not None:
        raise InputError(
            "completions names a column of lists, completion one of single completions; give one "
            "or the other."
        )
    opened = open_source(source)
    listed = None if completion is not None else _list_column(opened, completions)
    if listed is not None:
        opened = _OneARow(
            opened.name, opened.format, opened.path, opened.content, opened.hub_id, listed
        )
        completion = COMPLETION
    return read_judgements(
        opened, prompt=prompt, completion=completion, image=image, skip_bad=skip_bad
    )


def _list_column(source: Source, given: str | None) -> str | None:
    row = next((row for row in source.rows() if isinstance(row, RawRow)), None)
    if row is None:
        return None
    found = COMPLETIONS.find(source.name, list(row.values), given)
    # A column of some such name that holds text is none of lists.
    return None if given is None and found and not is_list(row.values[found]) else found


@dataclass(frozen=True)
class _OneARow(Source):
    """A source whose rows are parted by their completions."""

    completions: str = ""

    def rows(self) -> Iterator[RawRow | BadRow]:
        for row in super().rows():
            yield from [row] if isinstance(row, BadRow) else self._parted(row)

    def _parted(self, row: RawRow) -> Iterator[RawRow | BadRow]:
        listed = row.values.get(self.completions)
        if not isinstance(listed, Sequence) or not is_list(listed) or not listed:
            found = f"{describe(listed)} in column {self.completions!r}"
            yield BadRow(row.location, found, "a list of completions")
            return
        others = {name: value for name, value in row.values.items() if name != self.completions}
        for number, one in enumerate(listed, start=1):
            place = f"{row.location} (completion {number})"
            yield RawRow(place, {**others, COMPLETION: one})
