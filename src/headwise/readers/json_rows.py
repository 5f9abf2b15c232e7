"""JSONL and JSON documents -> raw rows with their line numbers."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from headwise.errors import InputError
from headwise.readers.result import BadRow, RawRow, describe

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")
_A_ROW = 'a JSON object such as {"text": ..., "label": ...}'


@dataclass(frozen=True, slots=True)
class _Item:
    start: int
    value: object


def jsonl_rows(name: str, lines: Iterable[bytes]) -> Iterator[RawRow | BadRow]:
    """Reads one JSON object a line; blank lines are passed over.

    Args:
        name: What to call the source in locations.
        lines: The lines, with or without their ends.

    Yields:
        A row or a bad row for each line that is not blank.
    """
    for number, line in enumerate(lines, start=1):
        content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if content.strip():
            yield _parse_line(f"{name}:{number}", content)


def json_rows(name: str, stream: BinaryIO) -> Iterator[RawRow | BadRow]:
    """Reads a list of objects, `{"data": [...]}`, or one object a line.

    Args:
        name: What to call the source in locations.
        stream: The document.

    Yields:
        A row or a bad row for each item.

    Raises:
        InputError: The document is no JSON, no UTF-8, or of another shape.
    """
    content = stream.read().removeprefix(codecs.BOM_UTF8)
    text = _decode(name, content)
    start = _skip_blank(text, 0)
    if start == len(text):
        return
    if text[start : start + 1] == "[":
        yield from _list_rows(name, text, start)
        return
    if text[start : start + 1] != "{":
        raise InputError(
            f"{name} is no list of JSON objects: it begins with {text[start : start + 20]!r}. "
            'Give [{...}, ...], {"data": [...]}, or one object a line.'
        )
    value, end = _parse_value(name, text, start)
    alone = _skip_blank(text, end) == len(text)
    if alone and isinstance(value, dict) and isinstance(value.get("data"), list):
        yield from _list_rows(name, text, _find_data(text, start))
    elif "\n" not in text[start:end]:
        yield from jsonl_rows(name, content.split(b"\n"))
    else:
        raise InputError(
            f"{name} holds one JSON object over several lines, with no list under 'data'. "
            'Give [{...}, ...], {"data": [...]}, or one object a line.'
        )


def _parse_line(location: str, line: bytes) -> RawRow | BadRow:
    try:
        value = json.loads(line.rstrip().decode("utf-8"))
    except UnicodeDecodeError as error:
        byte = f"invalid UTF-8 (byte 0x{line[error.start]:02x} at position {error.start + 1})"
        return BadRow(location, byte, "UTF-8 text")
    except json.JSONDecodeError as error:
        return BadRow(location, f"broken JSON (column {error.colno}: {error.msg})", _A_ROW)
    except (ValueError, RecursionError) as error:
        return BadRow(location, f"JSON that cannot be read ({error})", _A_ROW)
    return _row(location, value)


def _row(location: str, value: object) -> RawRow | BadRow:
    if isinstance(value, dict):
        return RawRow(location, value)
    return BadRow(location, describe(value), _A_ROW)


def _decode(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name}:{line}: invalid UTF-8 (byte 0x{content[error.start]:02x}). "
            "Save the file as UTF-8."
        ) from None


def _list_rows(name: str, text: str, start: int) -> Iterator[RawRow | BadRow]:
    line = 1 + text.count("\n", 0, start)
    seen = start
    for number, item in enumerate(_items(name, text, start), start=1):
        line += text.count("\n", seen, item.start)
        seen = item.start
        yield _row(f"{name}:{line} (item {number})", item.value)


def _items(name: str, text: str, start: int) -> Iterator[_Item]:
    whole = not text[:start].strip()
    position = _skip_blank(text, start + 1)
    closed = text[position : position + 1] == "]"
    while not closed:
        value, end = _parse_value(name, text, position)
        yield _Item(position, value)
        end = _skip_blank(text, end)
        mark = text[end : end + 1]
        if mark not in (",", "]"):
            raise _broken(name, json.JSONDecodeError("Expecting ',' or ']'", text, end))
        closed = mark == "]"
        position = end if closed else _skip_blank(text, end + 1)
    rest = _skip_blank(text, position + 1)
    if whole and rest < len(text):
        raise _broken(name, json.JSONDecodeError("Extra data behind the list", text, rest))


def _find_data(text: str, start: int) -> int:
    """Offset of the list under the last `"data"` key of an object known to be well-formed."""
    found = -1
    position = _skip_blank(text, start + 1)
    while True:
        key, position = _DECODER.raw_decode(text, position)
        value_at = _skip_blank(text, _skip_blank(text, position) + 1)
        if key == "data":
            found = value_at
        position = _skip_blank(text, _DECODER.raw_decode(text, value_at)[1])
        if text[position] == "}":
            return found
        position = _skip_blank(text, position + 1)


def _parse_value(name: str, text: str, position: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        raise _broken(name, error) from None
    except (ValueError, RecursionError) as error:
        line = text.count("\n", 0, position) + 1
        raise InputError(f"{name}:{line}: JSON that cannot be read ({error}).") from None


def _broken(name: str, error: json.JSONDecodeError) -> InputError:
    return InputError(
        f"{name}:{error.lineno}: broken JSON at column {error.colno}: {error.msg}. Mend the file; "
        "nothing behind that place can be read."
    )


def _skip_blank(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position
