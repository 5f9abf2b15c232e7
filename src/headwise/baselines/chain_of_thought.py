"""Zero-shot chain of thought: the model thinks in words, then answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from headwise.engines.base import Engine
from headwise.engines.usage import usage_of, usage_since
from headwise.examples import Example
from headwise.methods.answers import Answered, Answers
from headwise.methods.asking import AnswerSettings, FirstCalls
from headwise.methods.text_cache import TextCache
from headwise.prompts.direct import after_thinking, thinking


@dataclass(frozen=True, eq=False)
class ZeroShotChainOfThought:
    """Answers questions in two calls: thoughts step by step, then the answer; both greedy.

    Source: Kojima et al. (arXiv:2205.11916), in our own words; both calls are single turns of the
    user, as those of `CompositionalChainOfThought` are, so that the two differ in nothing else.

    Args:
        engine: The model.
        settings: What answers are, and how they are had.
        max_thought_tokens: Cap on the first call; as for scene graphs.
        cache: Where thoughts are kept.

    Raises:
        InputError: The cap is none.
    """

    engine: Engine
    settings: AnswerSettings = field(default_factory=AnswerSettings)
    max_thought_tokens: int = 256
    cache: TextCache = field(default_factory=TextCache)

    def __post_init__(self) -> None:
        FirstCalls(self.max_thought_tokens, self.cache)

    def answer(self, examples: Sequence[Example], *, progress: bool = False) -> Answers:
        """Answers questions; see `Answerer.answer`.

        Args:
            examples: `n` questions, with images or without; labels are ignored.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` answers with the thoughts before them.

        Raises:
            InputError: There is no example, or one lacks its question or options.
        """
        before = usage_of(self.engine)
        questions = self.settings.questions(examples, need_images=False)
        asked = list(zip(examples, questions, strict=True))
        first = FirstCalls(self.max_thought_tokens, self.cache)
        thoughts = first.write(self.engine, [thinking(e, q) for e, q in asked], progress=progress)
        conversations = [
            after_thinking(example, question, thought.text)
            for (example, question), thought in zip(asked, thoughts, strict=True)
        ]
        found = self.settings.answers(self.engine, conversations, questions, progress=progress)
        items = tuple(
            Answered(answer, text, thought.text, from_cache=thought.from_cache)
            for (text, answer), thought in zip(found, thoughts, strict=True)
        )
        n_first = sum(not thought.from_cache for thought in thoughts)
        return Answers(items, n_first + len(items), usage_since(self.engine, before))
