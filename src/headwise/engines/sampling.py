"""What a `Sampling` means to every engine: which values it may have, and where a text ends."""

from __future__ import annotations

import math

from headwise.engines.base import Sampling
from headwise.errors import InputError


def check_sampling(sampling: Sampling) -> None:
    """Checks that a sampling has a meaning.

    Args:
        sampling: How tokens are to be picked.

    Raises:
        InputError: A value is out of range; says which.
    """
    if sampling.max_new_tokens < 1:
        raise InputError(f"max_new_tokens is 1 at least; got {sampling.max_new_tokens}.")
    if not 0 <= sampling.temperature < math.inf:
        raise InputError(f"temperature is 0 (greedy) or more; got {sampling.temperature}.")
    if not 0 < sampling.top_p <= 1:
        raise InputError(f"top_p is above 0 and 1 at most; got {sampling.top_p}.")
    if "" in sampling.stop:
        raise InputError("A stop string is empty; it needs one character at least.")


def cut_at_stop(text: str, sampling: Sampling) -> str:
    """A text up to the first of the stop strings.

    Args:
        text: What was generated.
        sampling: How, with its stop strings.

    Returns:
        The text without the string and what follows it; all of it where there is none.
    """
    ends = [at for stop in sampling.stop if (at := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text
