"""Rows as JSON Lines can hold them."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headwise.content import as_image
from headwise.errors import HeadwiseError

Row = Mapping[str, object]
"""A row as it is written: text keys, and values that JSON can hold."""


@dataclass(frozen=True, slots=True)
class PlainRow:
    """A row that JSON can hold.

    Args:
        values: The row.
        n_replaced: Numbers that were NaN or infinite and are null now.
    """

    values: Row
    n_replaced: int


def plain_row(values: Mapping[str, object]) -> PlainRow:
    """A row as JSON can hold it.

    Args:
        values: A row as a reader gives it. Dates, decimals and the like become text, bytes become
            Base64 text, and NaN and infinity become null, since JSON has no such numbers. Pictures
            that are held as bytes or pixels become a hash of what they show.

    Returns:
        The row, and how many numbers became null.
    """
    replaced: list[float] = []
    plain = {str(name): _plain(value, replaced) for name, value in values.items()}
    return PlainRow(plain, len(replaced))


def encode_rows(rows: Iterable[Row], first: int = 0) -> bytes:
    """Rows as JSON Lines.

    Args:
        rows: The rows.
        first: Number of the first one, for the error.

    Returns:
        One UTF-8 line a row.

    Raises:
        HeadwiseError: A row holds NaN, infinity, or something that JSON does not know.
    """
    lines = []
    for number, row in enumerate(rows, start=first):
        try:
            lines.append(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        except (TypeError, ValueError) as error:
            raise HeadwiseError(
                f"Row {number} cannot be written as JSON ({error}). If the model made NaN or "
                "infinity of it, load the model in float32."
            ) from error
    return b"".join(lines)


def _plain(value: Any, replaced: list[float]) -> object:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        replaced.append(value)
        return None
    if isinstance(value, Mapping):
        if set(value) == {"bytes", "path"} and isinstance(value["bytes"], bytes):
            return {"path": value["path"], "digest": as_image(value).digest}
        return {str(name): _plain(item, replaced) for name, item in value.items()}
    if isinstance(value, bytes | bytearray):
        return b64encode(value).decode()
    if isinstance(value, Sequence):
        return [_plain(item, replaced) for item in value]
    if hasattr(value, "getbands") and hasattr(value, "tobytes"):  # A PIL image, of any kind.
        return {"digest": as_image(value).digest}
    return str(value)
