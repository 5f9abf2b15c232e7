"""An engine that remembers which texts it cut, for whoever has to tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    # The command line imports this module, and loads no torch before it must.
    from headwise.engines.base import Engine, TruncatedText


class WatchedEngine:
    """An engine that remembers which texts it cut; for the rest, it is the engine it watches.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cut: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    @property
    def as_engine(self) -> Engine:
        """Itself, as what it passes for."""
        return cast("Engine", self)

    @property
    def unwatched(self) -> Engine:
        """The engine itself."""
        return self._engine

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        """Cuts a text to a token budget; see `Engine.truncate`."""
        result = self._engine.truncate(text, max_tokens)
        if result.n_tokens_removed:
            self._cut.add(text)
        return result

    def forget(self) -> None:
        """Forgets what was cut so far."""
        self._cut.clear()

    def has_cut(self, texts: Iterable[str]) -> bool:
        """Whether any of some texts was cut, since it last forgot."""
        return not self._cut.isdisjoint(texts)
