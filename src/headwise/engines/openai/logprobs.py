"""Log-probabilities out of what a server returns, where they are exact; else an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from headwise.errors import EngineError

TOP_LOGPROBS = 20
"""How many of the likeliest tokens are asked for: the most that servers give."""


def first_token_logprobs(response: Any, candidates: Sequence[str]) -> list[float]:
    """How likely each candidate is as the next token of a chat.

    Args:
        response: A chat completion of one token with `top_logprobs`.
        candidates: `c` texts.

    Returns:
        `c` log-probabilities.

    Raises:
        EngineError: The server returned none, or a candidate is not one of the likeliest tokens:
            then it is less likely than these, or several tokens, and what it has is not known.
    """
    logprobs = getattr(response.choices[0], "logprobs", None) if response.choices else None
    tokens = getattr(logprobs, "content", None)
    top = getattr(tokens[0], "top_logprobs", None) if tokens else None
    if not top:
        refuse_without_logprobs()
    found = []
    for candidate in candidates:
        values = [float(entry.logprob) for entry in top if entry.token == candidate]
        if len(values) != 1:
            seen = ", ".join(repr(entry.token) for entry in top[:8])
            how = "not among" if not values else "more than once among"
            raise EngineError(
                f"How likely the answer {candidate!r} is cannot be known exactly: it is {how} the "
                f"{len(top)} likeliest first tokens ({seen}, ...). Read generated texts instead "
                "(readout='text'), or use the transformers engine."
            )
        found += values
    return found


def continuation_logprob(response: Any, prompt: str, candidate: str) -> float:
    """How likely a continuation of a text is.

    Args:
        response: A completion of prompt and candidate with `echo` and `logprobs`.
        prompt: The text.
        candidate: Its continuation.

    Returns:
        The sum over the candidate's tokens.

    Raises:
        EngineError: The server returned none, or a token reaches over the border between the two.
    """
    logprobs = getattr(response.choices[0], "logprobs", None) if response.choices else None
    values = getattr(logprobs, "token_logprobs", None)
    offsets = getattr(logprobs, "text_offset", None)
    if not values or not offsets or len(values) != len(offsets):
        refuse_without_logprobs()
    start, end = len(prompt), len(prompt) + len(candidate)
    if offsets[0] != 0 or start not in offsets:
        _refuse_border(candidate)
    # Behind the end stands the one token that the server had to make.
    inside = [value for value, at in zip(values, offsets, strict=True) if start <= at < end]
    if not inside or any(value is None for value in inside):
        _refuse_border(candidate)
    return float(sum(inside))


def refuse_without_logprobs() -> NoReturn:
    """Raises the error of a server that returns no log-probabilities.

    Raises:
        EngineError: Always.
    """
    raise EngineError(
        "The server returned no log-probabilities. Read generated texts instead (readout='text'), "
        "use a server that has them (vLLM, llama.cpp, OpenAI), or the transformers engine."
    )


def _refuse_border(candidate: str) -> NoReturn:
    raise EngineError(
        f"How likely the continuation {candidate!r} is cannot be known exactly: the server's "
        "tokens do not part where the prompt ends. Put a space or a line break at its beginning, "
        "or use the transformers engine."
    )
