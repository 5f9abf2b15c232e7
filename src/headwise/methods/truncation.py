"""Long texts are cut at a stated place, counted and reported; never silently."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from headwise.content import Content, as_content, parts_of
from headwise.engines.base import Engine
from headwise.errors import EngineError, InputError


class TruncationWarning(UserWarning):
    """Some texts were longer than a method's limit and were cut in the middle."""


MIN_TEXT_TOKENS = 8


def check_budget(max_text_tokens: int) -> None:
    """Checks a token budget of texts.

    Raises:
        InputError: It is too small to keep a beginning and an end.
    """
    if max_text_tokens < MIN_TEXT_TOKENS:
        raise InputError(
            f"max_text_tokens must be {MIN_TEXT_TOKENS} at least; got {max_text_tokens}."
        )


@dataclass
class TextCutter:
    """Cuts texts to a token budget and counts how many it had to cut.

    Args:
        engine: Whose tokens are counted.
        max_tokens: The budget of one text.
    """

    engine: Engine
    max_tokens: int
    n_texts: int = 0
    n_tokens_removed: int = 0

    def cut(self, text: str) -> str:
        """The text, or its first three quarters and last quarter of the budget."""
        result = self.engine.truncate(text, self.max_tokens)
        if result.n_tokens_removed:
            self.n_texts += 1
            self.n_tokens_removed += result.n_tokens_removed
        return result.text

    def cut_content(self, content: Content) -> Content:
        """The content with each of its texts cut; pictures stay as they are."""
        parts = [self.cut(p) if isinstance(p, str) else p for p in parts_of(content)]
        return as_content(parts)

    def report(self, what: str, option: str) -> None:
        """Warns once if anything was cut.

        Args:
            what: What the texts are, in the plural.
            option: The parameter that sets the budget.
        """
        if self.n_texts:
            warnings.warn(
                f"{self.n_texts} {what} longer than {self.max_tokens} tokens were cut in the "
                f"middle ({self.n_tokens_removed} tokens left out). Raise {option} to keep more.",
                TruncationWarning,
                stacklevel=3,
            )


class WholeTexts(TextCutter):
    """Cuts nothing, for models whose tokens are not known."""

    def cut(self, text: str) -> str:
        """The text as it is."""
        return text


def cutter_of(engine: Engine, max_tokens: int) -> TextCutter:
    """What cuts texts for an engine of any kind.

    Args:
        engine: Whose tokens are counted.
        max_tokens: The budget of one text.

    Returns:
        A cutter; one that leaves texts whole where the engine, a server, cannot count tokens.
    """
    try:
        engine.truncate(" ", MIN_TEXT_TOKENS)
    except EngineError:
        return WholeTexts(engine, max_tokens)
    return TextCutter(engine, max_tokens)
