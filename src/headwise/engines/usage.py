"""What calls of a model cost, where an engine counts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a model read and wrote.

    Args:
        prompt_tokens: Read, images included as the model counts them.
        completion_tokens: Written.
    """

    prompt_tokens: int
    completion_tokens: int

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens - other.prompt_tokens,
            self.completion_tokens - other.completion_tokens,
        )


@runtime_checkable
class Metered(Protocol):
    """An engine that counts its tokens."""

    @property
    def usage(self) -> Usage:
        """All tokens since the engine was made."""
        ...


def usage_of(engine: object) -> Usage | None:
    """What an engine has used so far; None where it does not count."""
    return engine.usage if isinstance(engine, Metered) else None


def usage_since(engine: object, before: Usage | None) -> Usage | None:
    """What an engine has used since an earlier `usage_of`; None where it does not count."""
    now = usage_of(engine)
    return None if now is None or before is None else now - before


@runtime_checkable
class Remembers(Protocol):
    """An engine that runs no prompt twice."""

    @property
    def spared_seconds(self) -> float:
        """What the prompts would have taken that were remembered."""
        ...


def spared_seconds(engine: object) -> float:
    """What an engine did not have to do so far, since it remembered; 0 where it runs everything."""
    return engine.spared_seconds if isinstance(engine, Remembers) else 0.0
