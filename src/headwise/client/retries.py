"""When a request is tried again: only where that is safe.

Every route of the server gives an answer that depends on the request alone and changes nothing, so
a request that may or may not have been answered can be sent again. What is never tried again is a
refusal of the request itself (4xx but 429), which would be refused again, and one that took too
long, which would take as long again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headwise.errors import InputError

SAFE_STATUSES = frozenset({429, 502, 503, 504})
"""Too busy, or not there at the moment."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a client tries.

    Args:
        timeout: Seconds that one try may take.
        max_retries: Tries after the first.
        first_wait: Seconds before the second try; doubled each time.
        longest_wait: Seconds that a wait takes at most, whatever the server asks for.

    Raises:
        InputError: A number is out of range.
    """

    timeout: float = 120.0
    max_retries: int = 5
    first_wait: float = 0.25
    longest_wait: float = 30.0

    def __post_init__(self) -> None:
        if not self.timeout > 0 or self.max_retries < 0:
            raise InputError(
                f"timeout is above 0 and max_retries 0 at least; got {self.timeout} and "
                f"{self.max_retries}."
            )

    def wait(self, attempt: int, headers: Mapping[str, str] | None = None) -> float:
        """Seconds to wait before the next try.

        Args:
            attempt: How many tries there were after the first.
            headers: Those of the server's refusal; None where there was no answer.

        Returns:
            What the server asks for, or the wait of this attempt where that is longer.
        """
        own = min(self.first_wait * 2.0**attempt, self.longest_wait)
        asked = None if headers is None else headers.get("retry-after")
        try:
            wanted = 0.0 if asked is None else float(asked)
        except ValueError:  # A date: our server sends none.
            wanted = 0.0
        return min(max(own, wanted), self.longest_wait) if wanted >= 0 else own
