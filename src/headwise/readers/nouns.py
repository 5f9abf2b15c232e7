"""Raw rows -> `Example`, `Preference`, `Judgement`, with every bad row accounted for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from headwise.content import Image
from headwise.content.messages import names_pictures
from headwise.errors import InputError
from headwise.examples import ChatMessages, Example, Judgement, Preference, Prompt, Response
from headwise.readers import columns as names
from headwise.readers.dialogues import (
    Fork,
    fork_of_texts,
    forking_turn,
    response_content,
    role_of,
)
from headwise.readers.pictures import pictures_in, require_placed, turns_in
from headwise.readers.result import BadRow, RawRow, ReadResult, T, refuse_bad_rows
from headwise.readers.sources import Source, SourceLike, open_source
from headwise.readers.values import (
    BadValueError,
    is_list,
    messages_in,
    not_unicode,
    optional_text,
    prompt_in,
    scalar,
    text_in,
    verdict_in,
    wrong,
)


def read_examples(
    source: SourceLike,
    *,
    text: str | None = None,
    label: str | None = None,
    image: str | Literal[False] | None = None,
    require_label: bool = True,
    skip_bad: bool = False,
    limit: int | None = None,
) -> ReadResult[Example]:
    """Reads labelled (or still unlabelled) examples, of texts, pictures or both.

    Numbers become text, and so do true and false, as JSON spells them. Every scalar column but the
    label, the image and the id is a field, the text included; null, NaN and nested values are no
    field. In a folder of pictures, the folder that each one is in is its label.

    Args:
        source: A path, `"-"`, a Hub dataset, a folder of pictures or a `Source`; see
            `open_source`.
        text: The column of the text; None for the first of the usual names. Where there is a
            column of pictures, rows that have some need no text.
        label: The column of the label; None for the first of the usual names.
        image: The column of a picture, or of a list of pictures or frames: paths, which begin in
            the folder of the source, data URLs, or bytes. None for the first of the usual names
            (`image`, `images`, `video`, `frames`, `image_path`), False to read no pictures.
        require_label: Whether a row without label is a bad row; else its label is None.
        skip_bad: Whether to go on without bad rows; they are in the result's `bad`.
        limit: Read at most this many rows, bad ones included.

    Returns:
        The examples, with the raw rows.

    Raises:
        InputError: The source is not readable or empty, a column is missing, a row is bad and
            `skip_bad` is off, or all rows are.
        MissingExtraError: The format needs a package that is not installed.
    """
    opened = open_source(source)

    def converter(columns: Sequence[str]) -> Callable[[RawRow], Example]:
        named = tuple(name for name in (text, label) if name is not None)
        image_at = _image_column(opened, columns, image, named)
        taken = (*((label,) if label is not None else ()), image_at or "")
        look_for_text = names.TEXT.require if image_at is None else names.TEXT.find
        text_at = look_for_text(opened.name, columns, text, taken)
        look_up = names.LABEL.require if require_label else names.LABEL.find
        label_at = look_up(opened.name, columns, label, (text_at or "", image_at or ""))
        id_at = names.ID.among(columns, (text_at or "", label_at or ""))

        def convert(row: RawRow) -> Example:
            found_label = optional_text(row, label_at)
            if require_label and label_at is not None and found_label is None:
                raise wrong(row, label_at, "a label")
            images = pictures_in(row, image_at, opened.folder)
            if not images and text_at is None:
                raise wrong(row, image_at or "image", "an image")
            found_text = optional_text(row, text_at) if images else text_in(row, text_at or "")
            return Example(
                text=found_text or "",
                label=found_label,
                fields=_fields(row, without=(label_at, id_at, image_at)),
                id=optional_text(row, id_at),
                images=images,
            )

        return convert

    return _collect(opened, converter, skip_bad=skip_bad, limit=limit)


def read_preferences(
    source: SourceLike,
    *,
    prompt: str | None = None,
    chosen: str | None = None,
    rejected: str | None = None,
    image: str | Literal[False] | None = None,
    skip_bad: bool = False,
    limit: int | None = None,
) -> ReadResult[Preference]:
    """Reads preference pairs in any of TRL's forms, and dialogues of the HH-RLHF kind.

    With a prompt column, the responses are text or assistant messages, and the prompt is taken as
    it is. Whole conversations as message lists are split where they fork; a prompt of plain text
    beside them is not looked at, as in TRL. Without a prompt column, text is split where it forks:
    see `headwise.readers.dialogues`. Messages may show pictures; those of the image column stand
    where the prompt has places for them, else before the text of its first user's turn.

    Args:
        source: A path, `"-"`, a Hub dataset or a `Source`; see `open_source`.
        prompt: The column of the prompt; None for the first of the usual names, if any.
        chosen: The column of the better response; None for the first of the usual names.
        rejected: The column of the worse response; None for the first of the usual names.
        image: The column of the prompt's pictures; see `read_examples`.
        skip_bad: Whether to go on without bad rows; they are in the result's `bad`.
        limit: Read at most this many rows, bad ones included.

    Returns:
        The preferences, with the raw rows; `split` is from a column `split` or `subset`.

    Raises:
        InputError: As for `read_examples`.
        MissingExtraError: The format needs a package that is not installed.
    """
    opened = open_source(source)

    def converter(columns: Sequence[str]) -> Callable[[RawRow], Preference]:
        named = tuple(name for name in (prompt, chosen, rejected) if name is not None)
        chosen_at = names.CHOSEN.require(opened.name, columns, chosen, named)
        rejected_at = names.REJECTED.require(opened.name, columns, rejected, (*named, chosen_at))
        prompt_at = names.PROMPT.find(opened.name, columns, prompt, (chosen_at, rejected_at))
        image_at = _image_column(
            opened, columns, image, (*named, chosen_at, rejected_at, prompt_at or "")
        )
        id_at = names.ID.among(columns)
        splits_at = [wanted.among(columns) for wanted in names.SPLITS]

        def convert(row: RawRow) -> Preference:
            images = pictures_in(row, image_at, opened.folder)
            pictures = _Pictures(row, images, opened.folder)
            fork = _fork(row, prompt_at, chosen_at, rejected_at, pictures)
            splits = (optional_text(row, column) for column in splits_at)
            return Preference(
                prompt=fork.prompt,
                chosen=fork.chosen,
                rejected=fork.rejected,
                split=next(filter(None, splits), None),
                id=optional_text(row, id_at),
                images=pictures.beside(fork.prompt),
            )

        return convert

    return _collect(opened, converter, skip_bad=skip_bad, limit=limit)


def read_judgements(
    source: SourceLike,
    *,
    prompt: str | None = None,
    completion: str | None = None,
    label: str | None = None,
    image: str | Literal[False] | None = None,
    require_label: bool = False,
    skip_bad: bool = False,
    limit: int | None = None,
) -> ReadResult[Judgement]:
    """Reads single responses, judged or to be judged (TRL's unpaired preferences).

    Args:
        source: A path, `"-"`, a Hub dataset or a `Source`; see `open_source`.
        prompt: The column of the prompt; None for the first of the usual names.
        completion: The column of the response; None for the first of the usual names.
        label: The column of the verdict (true/false, yes/no, 1/0); None for `label`.
        image: The column of the prompt's pictures; see `read_examples`.
        require_label: Whether a row without verdict is a bad row; else its label is None.
        skip_bad: Whether to go on without bad rows; they are in the result's `bad`.
        limit: Read at most this many rows, bad ones included.

    Returns:
        The judgements, with the raw rows.

    Raises:
        InputError: As for `read_examples`.
        MissingExtraError: The format needs a package that is not installed.
    """
    opened = open_source(source)

    def converter(columns: Sequence[str]) -> Callable[[RawRow], Judgement]:
        named = tuple(name for name in (prompt, completion, label) if name is not None)
        prompt_at = names.PROMPT.require(opened.name, columns, prompt, named)
        taken = (*named, prompt_at)
        completion_at = names.COMPLETION.require(opened.name, columns, completion, taken)
        look_up = names.VERDICT.require if require_label else names.VERDICT.find
        label_at = look_up(opened.name, columns, label, (prompt_at, completion_at))
        image_at = _image_column(opened, columns, image, (*taken, completion_at, label_at or ""))
        id_at = names.ID.among(columns)

        def convert(row: RawRow) -> Judgement:
            verdict = None if label_at is None else verdict_in(row, label_at)
            if require_label and label_at is not None and verdict is None:
                raise wrong(row, label_at, "true or false")
            images = pictures_in(row, image_at, opened.folder)
            pictures = _Pictures(row, images, opened.folder)
            asked = pictures.prompt(prompt_in(row, prompt_at))
            return Judgement(
                prompt=asked,
                completion=_response(row, completion_at, pictures),
                label=verdict,
                id=optional_text(row, id_at),
                images=pictures.beside(asked),
            )

        return convert

    return _collect(opened, converter, skip_bad=skip_bad, limit=limit)


def _collect(
    source: Source,
    converter: Callable[[Sequence[str]], Callable[[RawRow], T]],
    *,
    skip_bad: bool,
    limit: int | None,
) -> ReadResult[T]:
    if limit is not None and limit < 1:
        raise InputError(f"The limit on rows must be at least 1; got {limit}.")
    found = list(islice(source.rows(), limit))
    if not found:
        raise InputError(f"{source.name} is empty: it has no rows. Give at least one.")
    rows = [row for row in found if isinstance(row, RawRow)]
    if not rows:
        refuse_bad_rows(source.name, [row for row in found if isinstance(row, BadRow)], len(found))
    # Columns of all rows, not of the first: JSON rows may leave out what they have no value for.
    convert = converter(list(dict.fromkeys(column for row in rows for column in row.values)))
    items, kept, bad = [], [], []
    for row in found:
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        try:
            _require_unicode(row)
            items.append(convert(row))
            kept.append(row)
        except BadValueError as error:
            bad.append(BadRow(row.location, error.found, error.expected))
    if bad and (not skip_bad or not items):
        refuse_bad_rows(source.name, bad, len(found))
    return ReadResult(
        items=tuple(items),
        rows=tuple(row.values for row in kept),
        locations=tuple(row.location for row in kept),
        bad=tuple(bad),
        notes=source.notes(),
    )


def _require_unicode(row: RawRow) -> None:
    for column, value in row.values.items():
        if not_unicode(column) or not_unicode(value):
            raise BadValueError(
                f"half a character (a lone surrogate) in column {column!r}", "whole characters"
            )


def _fields(row: RawRow, without: Sequence[str | None]) -> Mapping[str, str]:
    texts = {column: scalar(value) for column, value in row.values.items() if column not in without}
    return {column: text for column, text in texts.items() if text is not None}


def _image_column(
    source: Source,
    columns: Sequence[str],
    given: str | Literal[False] | None,
    taken: Sequence[str],
) -> str | None:
    if given is False:
        return None
    return names.IMAGE.find(source.name, columns, given, taken)


@dataclass(frozen=True, slots=True)
class _Pictures:
    """The pictures of a row's image column, on their way to its prompt."""

    row: RawRow
    images: tuple[Image, ...]
    folder: Path | None

    def prompt(self, prompt: Prompt) -> Prompt:
        """The prompt with the pictures that it names itself."""
        return prompt if isinstance(prompt, str) else self.turns(prompt)

    def turns(self, messages: ChatMessages) -> ChatMessages:
        """The messages, read where they name pictures themselves."""
        return turns_in(self.row, messages, self.images, self.folder)

    def response(self, messages: ChatMessages) -> ChatMessages:
        """The turns of a response, whose pictures are all its own."""
        return turns_in(self.row, messages, (), self.folder)

    def beside(self, prompt: Prompt) -> tuple[Image, ...]:
        """The pictures that the prompt does not hold yet; checked to have their places in it."""
        if not isinstance(prompt, str) and names_pictures(prompt):
            return ()
        require_placed(self.row, prompt, self.images)
        return self.images


def _response(row: RawRow, column: str, pictures: _Pictures) -> Response:
    if is_list(row.values.get(column)):
        return response_content(pictures.response(messages_in(row, column)))
    return text_in(row, column, may_be_empty=True)


def _fork(
    row: RawRow, prompt_at: str | None, chosen_at: str, rejected_at: str, pictures: _Pictures
) -> Fork:
    are_lists = [is_list(row.values.get(column)) for column in (chosen_at, rejected_at)]
    if all(are_lists):
        return _fork_of_conversations(row, prompt_at, chosen_at, rejected_at, pictures)
    if any(are_lists):
        raise BadValueError(
            f"messages in one and text in the other of {chosen_at!r} and {rejected_at!r}",
            "the same form in both",
        )
    chosen = text_in(row, chosen_at, may_be_empty=True)
    rejected = text_in(row, rejected_at, may_be_empty=True)
    if prompt_at is None:
        return fork_of_texts(chosen, rejected)
    return Fork(pictures.prompt(prompt_in(row, prompt_at)), chosen, rejected)


def _fork_of_conversations(
    row: RawRow, prompt_at: str | None, chosen_at: str, rejected_at: str, pictures: _Pictures
) -> Fork:
    chosen = messages_in(row, chosen_at)
    rejected = messages_in(row, rejected_at)
    if prompt_at is not None:
        prompt = prompt_in(row, prompt_at)
        if isinstance(prompt, str):
            are_whole = "assistant" not in (role_of(chosen[0]), role_of(rejected[0]))
            prompt = [] if are_whole else [{"role": "user", "content": prompt}]
        chosen, rejected = _continued(prompt, chosen), _continued(prompt, rejected)
    turn = forking_turn(chosen, rejected)
    return Fork(
        pictures.turns(chosen[:turn]),
        response_content(pictures.response(chosen[turn:])),
        response_content(pictures.response(rejected[turn:])),
    )


def _continued(prompt: ChatMessages, response: ChatMessages) -> ChatMessages:
    """The whole conversation; a response that repeats the prompt is one already."""
    begun = list(response[: len(prompt)]) == list(prompt)
    return response if begun else [*prompt, *response]
