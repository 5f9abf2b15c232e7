"""Frozen dataclasses from JSON, checked field by field against their types."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from headwise.errors import InputError, shortened

T = TypeVar("T")


def decoded(kind: type[T], value: object, where: str) -> T:
    """A dataclass of what `dataclasses.asdict` and JSON made of one.

    Args:
        kind: The dataclass; its fields are texts, numbers, literals, None, tuples, mappings with
            text keys, and such dataclasses.
        value: What JSON holds.
        where: What errors call it, such as the file's name.

    Returns:
        The dataclass.

    Raises:
        InputError: Something is missing or of another type; names the place.
    """
    found: T = _decoded(kind, value, where)
    return found


def _decoded(kind: Any, value: object, where: str) -> Any:
    if is_dataclass(kind):
        return _dataclass(kind, value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, value, where)
    if origin is Literal:
        return _require(value in arguments, value, f"one of {arguments}", where)
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(value, "a list", where)
        return tuple(_decoded(arguments[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(value, "an object", where)
        return {k: _decoded(arguments[1], v, f"{where}.{k}") for k, v in value.items()}
    return _scalar(kind, value, where)


def _dataclass(kind: Any, value: object, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(value, "an object", where)
    hints = get_type_hints(kind)
    given = {}
    for field in fields(kind):
        if field.name in value:
            given[field.name] = _decoded(
                hints[field.name], value[field.name], f"{where}: {field.name}"
            )
        elif field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{where}: {field.name!r} is missing. The file was damaged or edited.")
    return kind(**given)


def _one_of(kinds: tuple[Any, ...], value: object, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    for kind in others[:-1]:
        try:
            return _decoded(kind, value, where)
        except InputError:
            continue
    return _decoded(others[-1], value, where)


def _scalar(kind: Any, value: object, where: str) -> Any:
    if kind is Any or kind is object:
        return value
    if kind is float:
        _require(
            isinstance(value, int | float) and not isinstance(value, bool), value, "a number", where
        )
        return float(value)  # type: ignore[arg-type]
    is_kind = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    return _require(is_kind, value, {str: "text", int: "a whole number"}.get(kind, kind), where)


def _require(is_right: bool, value: object, expected: object, where: str) -> object:
    if not is_right:
        raise _wrong(value, expected, where)
    return value


def _wrong(value: object, expected: object, where: str) -> InputError:
    return InputError(
        f"{where} is {shortened(value)}; expected {expected}. The file was damaged or edited, or "
        "is of another kind."
    )
