"""Instruction templates: text with `{column}` places, filled without interpreting the values."""

from __future__ import annotations

import re
from collections.abc import Mapping

from headwise.errors import InputError

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
    missing = [name for name in places(template) if name not in values]
    if missing:
        raise InputError(
            f"The instruction asks for {{{missing[0]}}}, but the example has only "
            f"{', '.join(sorted(values)) or 'nothing'}."
        )
    return _PLACE.sub(lambda match: values[match[1]], template)
