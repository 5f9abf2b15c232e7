"""One value of a raw row -> text, a label, a yes or no, chat messages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal

from headwise.content.messages import PICTURE_TYPES
from headwise.examples import ChatMessages, Prompt
from headwise.readers.result import RawRow, describe

_VERDICTS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_ROLES = ("system", "user", "assistant")
_SCALARS = (str, int, float, Decimal, date, time)


class BadValueError(Exception):
    """A value of a row is not what it should be.

    Args:
        found: What is there.
        expected: What should be there.
    """

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"found {found}; expected {expected}")
        self.found = found
        self.expected = expected


def scalar(value: object) -> str | None:
    """A scalar as text, in JSON's spelling of true and false.

    Args:
        value: Any value.

    Returns:
        The text; None for null, NaN, infinity and everything nested.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, _SCALARS) else None


def text_in(row: RawRow, column: str, *, may_be_empty: bool = False) -> str:
    """The text in a column; numbers become text.

    Args:
        row: The row.
        column: The column.
        may_be_empty: Whether blank text will do.

    Returns:
        The text.

    Raises:
        BadValueError: The column is missing, null, NaN, nested, or blank.
    """
    text = scalar(row.values.get(column))
    if text is None or not (may_be_empty or text.strip()):
        raise wrong(row, column, "text")
    return text


def optional_text(row: RawRow, column: str | None) -> str | None:
    """The text in a column, or None where the column or its value is missing or blank.

    Args:
        row: The row.
        column: The column, if there is one.

    Returns:
        The text or None.

    Raises:
        BadValueError: The value is NaN or nested.
    """
    value = None if column is None else row.values.get(column)
    if column is None or value is None or (isinstance(value, str) and not value.strip()):
        return None
    return text_in(row, column)


def verdict_in(row: RawRow, column: str) -> bool | None:
    """The yes or no in a column; None where it is missing or blank.

    Args:
        row: The row.
        column: The column.

    Returns:
        True for true, yes and 1; False for false, no and 0; capitals do not matter.

    Raises:
        BadValueError: The value is anything else.
    """
    value = row.values.get(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    word = value.strip().casefold() if isinstance(value, str) else None
    if word not in _VERDICTS:
        raise wrong(row, column, "true or false, yes or no, 1 or 0")
    return _VERDICTS[word]


def prompt_in(row: RawRow, column: str) -> Prompt:
    """The prompt in a column: text, or chat messages.

    Args:
        row: The row.
        column: The column.

    Returns:
        The prompt.

    Raises:
        BadValueError: It is neither, or empty.
    """
    if is_list(row.values.get(column)):
        return messages_in(row, column)
    if scalar(row.values.get(column)) is None:
        raise wrong(row, column, "text or a list of chat messages")
    return text_in(row, column)


def messages_in(row: RawRow, column: str) -> ChatMessages:
    """The chat messages in a column.

    Args:
        row: The row.
        column: The column.

    Returns:
        At least one message, each with a known role and with text, or texts and pictures, as its
        content.

    Raises:
        BadValueError: It is no such list.
    """
    messages = row.values.get(column)
    if not (isinstance(messages, Sequence) and is_list(messages) and messages):
        raise wrong(row, column, 'chat messages: [{"role": ..., "content": ...}, ...]')
    for number, message in enumerate(messages, start=1):
        place = f"message {number} of column {column!r}"
        if not isinstance(message, Mapping):
            raise BadValueError(f"{describe(message)} as {place}", "{role, content}")
        if message.get("role") not in _ROLES:
            raise BadValueError(
                f"the role {describe(message.get('role'))} in {place}", " or ".join(_ROLES)
            )
        if content_of(message) is None and not _shows_pictures(message):
            raise BadValueError(
                f"{describe(message.get('content'))} as the content of {place}",
                'text, or a list of {"type": "text", "text": ...} and {"type": "image", ...}',
            )
    return messages


def content_of(message: Mapping[str, object]) -> str | None:
    """The text of a chat message, its text parts joined by newlines; None where it is not text."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence) or isinstance(content, bytes) or not content:
        return None
    texts = [
        part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None
        for part in content
    ]
    return (
        "\n".join(str(text) for text in texts) if all(isinstance(t, str) for t in texts) else None
    )


def _shows_pictures(message: Mapping[str, object]) -> bool:
    """Whether the content is made of texts and pictures, or places for them."""
    content = message.get("content")
    if not isinstance(content, Sequence) or not is_list(content) or not content:
        return False
    kinds = [part.get("type") if isinstance(part, Mapping) else None for part in content]
    texts = [p for p in content if isinstance(p, Mapping) and p.get("type") == "text"]
    return all(kind == "text" or kind in PICTURE_TYPES for kind in kinds) and all(
        isinstance(part.get("text"), str) for part in texts
    )


def is_list(value: object) -> bool:
    """Whether a value is a list and no text."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def not_unicode(value: object) -> bool:
    r"""Whether a value holds half a character (a lone surrogate such as `\ud83d`) at any depth."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return True
        return False
    if isinstance(value, Mapping):
        return any(not_unicode(key) or not_unicode(item) for key, item in value.items())
    return isinstance(value, Sequence) and is_list(value) and any(not_unicode(v) for v in value)


def wrong(row: RawRow, column: str, expected: str) -> BadValueError:
    """The error for a value that is missing or of the wrong kind.

    Args:
        row: The row.
        column: The column.
        expected: What should be there.

    Returns:
        The error, to be raised.
    """
    if column not in row.values:
        found = f"no column {column!r} (columns: {', '.join(row.values)})"
        return BadValueError(found, f"{expected} in column {column!r}")
    return BadValueError(f"{describe(row.values[column])} in column {column!r}", expected)
