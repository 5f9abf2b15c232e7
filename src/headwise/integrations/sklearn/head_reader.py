"""What the estimators have alike: they read the heads of a model that is never copied."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Self

from sklearn.base import BaseEstimator

from headwise.engines.activation_cache import cache_of, capture_once
from headwise.engines.base import Engine
from headwise.examples import Example
from headwise.heads import HeadActivations, HeadSet
from headwise.integrations.sklearn.held_engine import EngineParameter, live_engine, not_pickled
from headwise.integrations.sklearn.rows import examples_of
from headwise.integrations.tables import Columns
from headwise.methods.sparse_attention_classifier import prepare
from headwise.methods.truncation import TextCutter
from headwise.prompts.classification import ClassificationPrompt
from headwise.prompts.template import places

_MIB = 2**20


class HeadReader(BaseEstimator):
    """An estimator that reads heads; its constructor sets the parameters named here."""

    engine: EngineParameter
    text_column: str
    image_column: str | None
    cache_mib: int
    progress: bool

    def _examples(self, rows: Any, instruction: str) -> list[Example]:
        columns = Columns(self.text_column, self.image_column, places(instruction))
        return examples_of(rows, columns)

    def _read(
        self,
        engine: Engine,
        examples: list[Example],
        prompt: ClassificationPrompt,
        max_text_tokens: int,
        heads: HeadSet | None = None,
    ) -> HeadActivations:
        cutter = TextCutter(engine, max_text_tokens)
        conversations = prepare(examples, prompt, cutter)
        cutter.report("texts", "max_text_tokens")
        if not self.cache_mib:
            return engine.capture(conversations, heads, progress=self.progress)
        cache = cache_of(engine, int(self.cache_mib * _MIB))
        return capture_once(engine, conversations, heads, cache, progress=self.progress)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Texts, pictures and frames; columns of numbers mean nothing here.
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def __sklearn_clone__(self) -> Self:
        bare = self._without_engine()
        copied: Self = BaseEstimator.__sklearn_clone__(bare)
        copied.engine = self.engine
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        for held in (self.engine, self.__dict__.get("_engine")):
            memo[id(held)] = held
        copied = object.__new__(type(self))
        memo[id(self)] = copied
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return copied

    def __getstate__(self) -> dict[str, Any]:
        if not (self.engine is None or isinstance(self.engine, str | Path)):
            raise not_pickled()
        state: dict[str, Any] = BaseEstimator.__getstate__(self)
        return {name: value for name, value in state.items() if name != "_engine"}

    def _without_engine(self) -> Self:
        bare = object.__new__(type(self))
        bare.__dict__.update({**self.__dict__, "engine": None})
        return bare

    def _fitted_engine(self) -> Engine:
        """The engine of the fit; after unpickling the one that the parameter names."""
        if "_engine" not in self.__dict__:
            self._engine = live_engine(self.engine)
        return self._engine
