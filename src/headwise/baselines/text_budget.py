"""How much of a long text a model is shown, also on engines that cannot count tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headwise.engines.base import Engine
from headwise.errors import EngineError
from headwise.methods.truncation import MIN_TEXT_TOKENS, TextCutter, check_budget

TextBudget = int | None | Literal["auto"]
"""Tokens of one text; None cuts none; `"auto"` is 1,024 where the engine can count tokens."""

_DEFAULT_TOKENS = 1_024


def check_text_budget(budget: TextBudget) -> None:
    """Checks a budget.

    Raises:
        InputError: It is too small to keep a beginning and an end of a text.
    """
    if isinstance(budget, int):
        check_budget(budget)


def resolved_budget(engine: Engine, budget: TextBudget) -> int | None:
    """The budget in tokens.

    Args:
        engine: Whose tokens are counted.
        budget: What was asked for.

    Returns:
        Tokens; None where nothing is to be cut, or where `"auto"` meets an engine that cannot count
        them, such as a hosted model: it gets whole texts.
    """
    if budget != "auto":
        return budget
    try:
        engine.truncate("", MIN_TEXT_TOKENS)
    except EngineError:
        return None
    return _DEFAULT_TOKENS


def text_cutter(engine: Engine, max_tokens: int | None) -> TextCutter:
    """Cuts texts to a budget; leaves all of them as they are where it is None."""
    return WholeTexts(engine, 0) if max_tokens is None else TextCutter(engine, max_tokens)


@dataclass
class WholeTexts(TextCutter):
    """Cuts nothing, and so needs no engine that counts tokens."""

    def cut(self, text: str) -> str:
        """The text."""
        return text
