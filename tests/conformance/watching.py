"""Watches an engine run what several prompts begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from headwise.engines.transformers import TransformersEngine


@dataclass(frozen=True, slots=True)
class Begun:
    """A beginning that was run: its tokens, and how many of them had been run before."""

    n_tokens: int
    n_before: int


@contextmanager
def begun(engine: TransformersEngine) -> Iterator[list[Begun]]:
    """The beginnings that an engine runs apart, as it runs them."""
    found: list[Begun] = []
    frozen: Any = engine._frozen
    run = type(frozen).run

    class Watched(type(frozen)):  # type: ignore[misc]
        __slots__ = ()

        def run(self, prefix: Any, behind: Any = None) -> Any:
            found.append(Begun(len(prefix), 0 if behind is None else behind.length))
            return run(self, prefix, behind)

    engine._frozen = Watched(**{one.name: getattr(frozen, one.name) for one in fields(frozen)})
    try:
        yield found
    finally:
        engine._frozen = frozen
