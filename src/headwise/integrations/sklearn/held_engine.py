"""The engine as a parameter of an estimator: named or held, never copied."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from headwise.engines.base import Engine
from headwise.errors import InputError


@dataclass(frozen=True, eq=False)
class SharedEngine:
    """An engine that scikit-learn does not copy.

    An estimator never copies its engine; this is for engines that are values of a parameter grid,
    `GridSearchCV(..., {"engine": [SharedEngine(a), SharedEngine(b)]})`, which copies them.

    Args:
        engine: The loaded model.
    """

    engine: Engine

    def __sklearn_clone__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> Any:
        raise not_pickled()


EngineParameter = Engine | SharedEngine | str | Path | None
"""A loaded engine, or what `headwise.load` takes: a Hub id, a folder, `"embedded"`, None."""


def live_engine(engine: object) -> Engine:
    """The engine that a parameter stands for; a named one is loaded once in a process.

    Args:
        engine: See `EngineParameter`.

    Returns:
        The engine.

    Raises:
        EngineError: A named model could not be loaded.
        InputError: It is neither a name nor an engine.
    """
    if isinstance(engine, SharedEngine):
        return engine.engine
    if engine is None or isinstance(engine, str | Path):
        return _loaded(None if engine is None else str(engine))
    if not isinstance(engine, Engine):
        raise InputError(
            "engine is what headwise.load returns, or a name that it takes, such as 'embedded'; "
            f"got {type(engine).__name__}."
        )
    return engine


# Two, so that a grid over two models does not load them in turns.
@lru_cache(maxsize=2)
def _loaded(name: str | None) -> Engine:
    # Loading brings in transformers, which nothing needs before the first fit.
    from headwise.engines.load import load

    return load(name)


def not_pickled() -> InputError:
    """Why an estimator with a loaded engine is not pickled, and what to do."""
    return InputError(
        "This estimator holds a loaded engine, and a model is not pickled. Name the engine instead "
        "(engine='embedded', a folder or a Hub id): then each process loads it for itself. To keep "
        "a fitted SAVClassifier, use save_pretrained and SAVClassifier.from_pretrained."
    )
