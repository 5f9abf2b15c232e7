"""Which option an answer means."""

from __future__ import annotations

import re
from types import MappingProxyType

from headwise.benchmarks.scoring.matching import Reply
from headwise.evaluation.items import QuestionItem
from headwise.prompts.answer_format import Question
from headwise.prompts.answer_reading import read_answer


def chosen(reply: Reply) -> str | None:
    """The option that an answer means.

    Args:
        reply: The question, with options, and the answer.

    Returns:
        The option; None where none can be told. An answer that is an option is that; other text is
        read as `headwise.prompts.answer_reading` does: a letter, or the text of an option.
    """
    answer = reply.output.answer
    item = reply.item
    if answer is None or answer in item.options:
        return answer
    if _is_yes_no(item):
        return read_answer(answer, Question(item.example.text or "?", "yes-no", {}))
    texts = {option: item.example.fields.get(option, option) for option in item.options}
    question = Question(item.example.text or "?", "options", MappingProxyType(texts))
    return read_answer(answer, question)


def chance(reply: Reply, option: str) -> float:
    """How likely an option is: its probability, else 1 where it was chosen and 0 where not."""
    if reply.output.probabilities:
        return reply.output.probabilities.get(option, 0.0)
    return float(chosen(reply) == option)


def is_right(reply: Reply) -> bool:
    """Whether the right option was chosen."""
    return chosen(reply) == reply.item.example.label


def is_class(reply: Reply) -> bool:
    """Whether the right class was named; capitals, underscores and blanks around do not matter."""
    answer = reply.output.answer
    return answer is not None and _plain(answer) == _plain(reply.item.example.label or "")


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name).strip().casefold()


def _is_yes_no(item: QuestionItem) -> bool:
    return set(item.options) == {"Yes", "No"}
