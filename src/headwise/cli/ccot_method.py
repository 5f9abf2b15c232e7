"""From the options of `headwise ccot` to the method or baseline that answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from headwise.errors import InputError

if TYPE_CHECKING:
    from headwise.engines.base import Engine
    from headwise.methods.answers import Answerer
    from headwise.methods.asking import AnswerSettings
    from headwise.prompts.answer_format import AnswerFormat
    from headwise.prompts.compositional import CompositionalPrompt


class Ablation(StrEnum):
    """What is left out of the method, or put in the place of its graph."""

    CAPTION = "caption"
    WORDS = "words"
    NO_QUESTION = "no-question"
    AS_WRITTEN = "as-written"
    THOUGHTS = "thoughts"
    DIRECT = "direct"


_INSTEAD = ("caption", "words", "thoughts", "direct")


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """How questions are answered.

    Args:
        form: What an answer is.
        ablations: What is left out or put in the place of the graph.
        shows_form: Whether the first call shows the JSON form it wants.
        max_graph_tokens: Cap on the first call.
        max_new_tokens: Cap on the answer; by its form where None.
        logprobs: Whether the likeliest of all answers is taken, rather than text read.
        cache: A folder in which graphs are kept for later runs.

    Raises:
        InputError: Two options exclude each other.
    """

    form: AnswerFormat
    ablations: tuple[Ablation, ...]
    shows_form: bool
    max_graph_tokens: int
    max_new_tokens: int | None
    logprobs: bool
    cache: Path | None

    def __post_init__(self) -> None:
        instead = [name for name in dict.fromkeys(self.ablations) if name in _INSTEAD]
        others = [name for name in self.ablations if name not in _INSTEAD]
        if len(instead) > 1 or (others and {"thoughts", "direct"} & set(instead)):
            named = " and ".join(dict.fromkeys([*instead, *others]))
            raise InputError(f"--ablation {named} exclude each other; give one of them.")
        if self.shows_form and instead:
            raise InputError(f"--show-form is for graphs; --ablation {instead[0]} has none.")

    @property
    def identity(self) -> str:
        """What makes two jobs the same, which is all but where graphs are kept."""
        return str(replace(self, cache=None))

    @property
    def needs_images(self) -> bool:
        """Whether a question without an image cannot be answered so."""
        return not {"thoughts", "direct"} & set(self.ablations)

    def on(self, engine: Engine) -> Answerer:
        """The method on an engine."""
        from headwise.baselines.chain_of_thought import ZeroShotChainOfThought
        from headwise.baselines.zero_shot import ZeroShot
        from headwise.methods.compositional import CompositionalChainOfThought
        from headwise.methods.text_cache import TextCache

        settings = self._settings()
        if "direct" in self.ablations:
            return ZeroShot(engine, settings)
        cache = TextCache(folder=self.cache)
        if "thoughts" in self.ablations:
            return ZeroShotChainOfThought(engine, settings, self.max_graph_tokens, cache)
        return CompositionalChainOfThought(
            engine,
            settings,
            self._prompt(self.ablations),
            self.max_graph_tokens,
            as_written="as-written" in self.ablations,
            cache=cache,
        )

    def check(self) -> None:
        """Checks what is left to check, before a model is loaded.

        Raises:
            InputError: Answers of this format cannot be had so.
        """
        self._settings()

    def _settings(self) -> AnswerSettings:
        from headwise.methods.asking import AnswerSettings, Readout

        readout: Readout = "logprobs" if self.logprobs else "text"
        return AnswerSettings(self.form, readout, self.max_new_tokens)

    def _prompt(self, ablations: Sequence[Ablation]) -> CompositionalPrompt:
        from headwise.prompts.compositional import GRAPH_FORM, CompositionalPrompt

        return CompositionalPrompt(
            "caption" if "caption" in ablations else "words" if "words" in ablations else "graph",
            with_question="no-question" not in ablations,
            form=GRAPH_FORM if self.shows_form else "",
        )
