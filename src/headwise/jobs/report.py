"""How a job went."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobReport:
    """How a job went.

    Args:
        n_rows: Rows in all.
        n_resumed: Rows that were there before.
        seconds: Time spent on the rest.
    """

    n_rows: int
    n_resumed: int
    seconds: float
