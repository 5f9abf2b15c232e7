"""The plain question: the baseline of every other way of asking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from headwise.engines.base import Engine
from headwise.engines.usage import usage_of, usage_since
from headwise.examples import Example
from headwise.methods.answers import Answered, Answers
from headwise.methods.asking import AnswerSettings
from headwise.prompts.direct import direct


@dataclass(frozen=True, eq=False)
class ZeroShot:
    """Answers questions in one call, with no more than the question; greedy.

    Args:
        engine: The model.
        settings: What answers are, and how they are had.
    """

    engine: Engine
    settings: AnswerSettings = field(default_factory=AnswerSettings)

    def answer(self, examples: Sequence[Example], *, progress: bool = False) -> Answers:
        """Answers questions; see `Answerer.answer`.

        Args:
            examples: `n` questions, with images or without; labels are ignored.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` answers, one call each.

        Raises:
            InputError: There is no example, or one lacks its question or options.
        """
        before = usage_of(self.engine)
        questions = self.settings.questions(examples, need_images=False)
        conversations = [direct(e, q) for e, q in zip(examples, questions, strict=True)]
        found = self.settings.answers(self.engine, conversations, questions, progress=progress)
        items = tuple(Answered(answer, text) for text, answer in found)
        return Answers(items, len(items), usage_since(self.engine, before))
