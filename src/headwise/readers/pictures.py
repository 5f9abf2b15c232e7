"""The pictures of a raw row: files beside the data file, data URLs, bytes, lists of them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from headwise.content import Image, as_images
from headwise.content.messages import names_pictures, parse_messages
from headwise.errors import InputError
from headwise.examples import ChatMessages, Prompt, prompt_with_images
from headwise.readers.result import RawRow
from headwise.readers.values import BadValueError, is_list

_A_PICTURE = (
    "a picture file (a relative path begins in the folder of the data file), a data URL, or a list "
    "of them; --image none (in Python: image=False) reads no pictures"
)


def pictures_in(row: RawRow, column: str | None, folder: Path | None) -> tuple[Image, ...]:
    """The pictures in a column.

    A file must be there and begin as a picture does; it is decoded when it is needed.

    Args:
        row: The row.
        column: The column, if there is one.
        folder: Where relative paths begin; the current folder where None.

    Returns:
        The pictures; none where the value is missing, null or blank.

    Raises:
        BadValueError: The value is something else, or a picture cannot be read.
    """
    value = None if column is None else row.values.get(column)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ()
    if isinstance(value, str):
        value = _listed(value)
    if not isinstance(value, Sequence) or not is_list(value):
        value = [value]
    try:
        images = as_images(
            [one for one in value if one is not None], origin=row.location, folder=folder
        )
        for image in images:
            image.check()
    except InputError as error:
        raise _bad(row, error, f"column {column!r}", _A_PICTURE) from error
    return images


def turns_in(
    row: RawRow, messages: ChatMessages, images: Sequence[Image], folder: Path | None
) -> ChatMessages:
    """Chat messages with the pictures that they hold, or name in files, read.

    Args:
        row: The row they are from.
        messages: The messages.
        images: Pictures for the places that name none.
        folder: Where relative paths begin; the current folder where None.

    Returns:
        Turns that hold all pictures; the messages as they are where they name none.

    Raises:
        BadValueError: A picture cannot be read, or pictures and places do not match.
    """
    if not names_pictures(messages):
        return messages
    try:
        turns = parse_messages(messages, images, folder=folder, origin=row.location)
        for turn in turns:
            for image in turn.images:
                image.check()
    except InputError as error:
        raise _bad(row, error, "the messages", "messages whose pictures can be read") from error
    return turns


def require_placed(row: RawRow, prompt: Prompt, images: Sequence[Image]) -> None:
    """Checks that pictures and their places in a prompt match.

    Raises:
        BadValueError: They do not.
    """
    try:
        prompt_with_images(prompt, images)
    except InputError as error:
        raise _bad(row, error, "the prompt", "one image for each place") from error


def _listed(text: str) -> object:
    """The list that a cell of a CSV file spells, or the text as the name of one picture."""
    if not text.strip():
        return []
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text.strip()


def _bad(row: RawRow, error: InputError, where: str, expected: str) -> BadValueError:
    # The location stands before it already.
    reason = str(error).replace(f" ({row.location})", "").replace(f" of {row.location}", "")
    return BadValueError(
        f"an image that cannot be used in {where} ({reason.rstrip('.')})", expected
    )
