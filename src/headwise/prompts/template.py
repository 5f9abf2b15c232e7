"""Instruction templates: text with `{column}` places, filled without interpreting the values."""

from __future__ import annotations

import re
from collections.abc import Mapping

from headwise.content import Content, Part, as_content, parts_of
from headwise.errors import InputError

IMAGE_PLACES = ("image", "images", "video")
"""Names of places where an example's pictures go, unless it has a column of that name."""

_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_ -]*)\}")


def places(template: str) -> tuple[str, ...]:
    """The column names a template asks for, in order of first appearance."""
    return tuple(dict.fromkeys(_PLACE.findall(template)))


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fills a template's places; everything else, braces included, stays as it is.

    Args:
        template: Text with `{column}` places.
        values: A text for each place.

    Returns:
        The filled text. A value that itself contains a place is not filled again.

    Raises:
        InputError: A place has no value; names it and what there is.
    """
    _require_values(template, values)
    return _PLACE.sub(lambda match: values[match[1]], template)


def fill_content(template: str, values: Mapping[str, Content]) -> Content:
    """As `fill`, with values that may hold pictures.

    Args:
        template: Text with `{column}` places.
        values: A text, or texts and pictures, for each place.

    Returns:
        The filled content.

    Raises:
        InputError: A place has no value; names it and what there is.
    """
    _require_values(template, values)
    parts: list[Part] = []
    # Texts and names take turns.
    for number, piece in enumerate(_PLACE.split(template)):
        parts.extend(parts_of(values[piece]) if number % 2 else (piece,))
    return as_content(parts)


def _require_values(template: str, values: Mapping[str, Content]) -> None:
    missing = [name for name in places(template) if name not in values]
    if missing:
        raise InputError(
            f"The instruction asks for {{{missing[0]}}}, but the example has only "
            f"{', '.join(sorted(values)) or 'nothing'}."
        )
