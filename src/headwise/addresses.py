"""Addresses as reports and errors may show them: keys are also put into addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

_HIDDEN = "..."
# An address anywhere in a word, such as that of `--url=https://...`.
_ADDRESS = re.compile(r"https?://[^\s,]+", re.IGNORECASE)


def without_secrets(address: str) -> str:
    """An address without what may be a key: its user, its password, its query and its fragment.

    Args:
        address: The address.

    Returns:
        What may be shown; where something was left out, `...` stands for it.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return f"{address.partition('://')[0]}://{_HIDDEN}"
    place = parts.netloc.rpartition("@")
    host = f"{_HIDDEN}@{place[2]}" if place[1] else parts.netloc
    hidden = _HIDDEN if parts.query or parts.fragment else ""
    return urlunsplit((parts.scheme, host, parts.path, hidden, ""))


def words_without_secrets(words: Iterable[str]) -> tuple[str, ...]:
    """The words of a command, with every address in them as it may be shown.

    Args:
        words: The words.

    Returns:
        As many words.
    """
    return tuple(_ADDRESS.sub(lambda found: without_secrets(found[0]), word) for word in words)
