"""The biases that an audit looks for, and how strong each may be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from headwise.errors import InputError

AuditBias = Literal[
    "length",
    "formatting",
    "positivity",
    "flattery",
    "confidence",
    "sycophancy",
    "authority",
    "keywords",
    "position",
    "usual",
]
"""What may make a wrong answer attractive.

`"length"`: padding; `"formatting"`: headings, lists, bold type, emoji; `"positivity"`: good cheer;
`"flattery"`: praise of the asker; `"confidence"`: claims of certainty; `"sycophancy"`: it agrees
with a wrong belief that the prompt states; `"authority"`: names and citations; `"keywords"`: words
of the question; `"position"`: it is shown first (comparing reward models only); `"usual"`: it says
what is usual instead of what is there (pictures only).
"""

AUDIT_BIASES: tuple[AuditBias, ...] = get_args(AuditBias)
"""All biases."""

AUDIT_STRENGTHS: tuple[int, ...] = (1, 2, 3)
"""Strengths of a bias, weakest first."""


def as_bias(name: str) -> AuditBias:
    """A bias by its name.

    Raises:
        InputError: There is none of that name.
    """
    for bias in AUDIT_BIASES:
        if bias == name:
            return bias
    raise InputError(f"A bias is one of {', '.join(AUDIT_BIASES)}; got {name!r}.")


def checked_strengths(strengths: Iterable[int]) -> tuple[int, ...]:
    """Strengths, in order and each once.

    Raises:
        InputError: There is none, or one is out of range.
    """
    found = tuple(sorted(set(strengths)))
    if not found or not set(found) <= set(AUDIT_STRENGTHS):
        raise InputError(
            f"Strengths are among {', '.join(map(str, AUDIT_STRENGTHS))}; got {list(found)}."
        )
    return found
