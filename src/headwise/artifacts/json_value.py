"""JSON values: the type, plain copies that are safe to write, and strict reading."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np

from headwise.errors import ArtifactError

JSON = str | int | float | bool | None | Sequence["JSON"] | Mapping[str, "JSON"]
"""What a JSON file can hold; NaN and infinity are not part of it."""


def plain_json(value: object, where: str) -> JSON:
    """A copy of a value in plain `dict`, `list`, `str`, `int`, `float`, `bool` and `None`.

    Args:
        value: Anything that JSON can hold; tuples become lists, numpy scalars Python numbers.
        where: Name of the field, for the error message.

    Returns:
        The copy, which shares nothing mutable with `value`.

    Raises:
        ArtifactError: Some part is not JSON, is NaN or infinite; names it.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _writable_text(value, where)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _finite(value, where)
    if isinstance(value, Mapping):
        return plain_object(value, where)
    if isinstance(value, list | tuple):
        return [plain_json(item, f"{where}[{number}]") for number, item in enumerate(value)]
    raise ArtifactError(
        f"{where} is of type {type(value).__name__}, which JSON cannot hold; expected text, "
        "numbers, true, false, None, lists or mappings of these."
    )


def plain_object(value: Mapping[str, object], where: str) -> dict[str, JSON]:
    """A plain copy of a mapping, see `plain_json`.

    Args:
        value: A mapping with text keys.
        where: Name of the field, for the error message.

    Returns:
        The copy.

    Raises:
        ArtifactError: A key is not text, or some part is not JSON.
    """
    if not isinstance(value, Mapping):
        raise ArtifactError(f"{where} is of type {type(value).__name__}; expected a mapping.")
    copy = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise ArtifactError(f"{where} has the key {key!r}; expected text keys only.")
        copy[_writable_text(key, f"A key of {where}")] = plain_json(item, f"{where}.{key}")
    return copy


def json_hash(value: JSON) -> str:
    """SHA-256 of a value's canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def parse_json(content: bytes) -> object:
    """Reads strict JSON: UTF-8, and numbers that are finite.

    Args:
        content: The bytes of the file.

    Returns:
        The value.

    Raises:
        ValueError: The bytes are not such JSON; the message says where.
    """
    try:
        return json.loads(
            content.decode("utf-8"), parse_constant=_not_a_number, parse_float=_finite_float
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _writable_text(text: str, where: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ArtifactError(
            f"{where} holds text that is not valid Unicode ({error.reason} at character "
            f"{error.start}); read the file it came from with its right encoding."
        ) from error
    return str(text)


def _finite(number: float, where: str) -> float:
    if not math.isfinite(number):
        raise ArtifactError(
            f"{where} is {number}, which JSON cannot hold; expected a finite number, or None for "
            "one that is not known."
        )
    return float(number)


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is too large")
    return number


def _not_a_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
