"""Judgements in words: what a judge is asked, and how its verdict is read from what it wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from headwise.errors import InputError
from headwise.prompts.answer_format import Question
from headwise.prompts.answer_reading import YES, read_answer
from headwise.prompts.reward import RewardPrompt

JudgeForm = Literal["yes-no", "rating", "pairwise"]
"""How a judge says it: Yes or No of one response, a rating from 1 to 10, or A or B of two."""

LOWEST, HIGHEST = 1, 10
RATING_QUESTION = (
    "How well does the response meet this criterion: {criterion}\n"
    f"Answer with a number from {LOWEST} (not at all) to {HIGHEST} (fully)."
)

# No part of a range, of a longer number, or of a rating on another scale.
_NUMBER = r"(?<![\w.,/-])(\d+(?:\.\d+)?)(?![\w,]|\.\d|[-–]\d|\s*/\s*(?!10\b)\d)"
_OUT_OF = re.compile(rf"{_NUMBER}\s*(?:/|out of)\s*{HIGHEST}\b", re.IGNORECASE)
_NAMED_RATING = re.compile(
    rf"\b(?:rating|score|grade|answer)\b\W{{0,4}}(?:(?:is|of|would be)\b)?\W{{0,4}}{_NUMBER}",
    re.IGNORECASE,
)
_LEADING = re.compile(rf"\W*{_NUMBER}\W*(?:\n|$)")
_ANY_NUMBER = re.compile(_NUMBER)

# The letter itself in upper case: "the answer is a good one" names none.
_NAME = r"(?:(?:the\s+)?(?:response|answer|option|choice)\s+)?\W{0,3}\b((?-i:[AB]))\b\W{0,3}"
_IN_BRACKETS = re.compile(r"\[\[([AB])\]\]")
_CHOSEN = (
    # "Answer: B", "The better response is A."
    r"\b(?:answer|verdict|choice|response|one)(?:\s+(?:is|would be)|\s*\W{0,3}:)\W{0,4}" + _NAME,
    # "Response A is better"
    _NAME + r"\s*(?:is|was|meets|would be|wins)\b(?!\s+(?:not|worse|less|wrong|incorrect))",
    # "I prefer Response B"
    r"\b(?:prefer|choose|pick|select)\s+" + _NAME,
)
_CHOSEN_PATTERNS = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _CHOSEN)
_ALONE = re.compile(rf"\W*{_NAME}(?:$|\n|[.,:;!)])", re.IGNORECASE)
_MENTIONED = re.compile(r"\bresponse\s+\W{0,3}((?-i:[AB]))\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RatingPrompt(RewardPrompt):
    """Asks for a rating from 1 to 10 of one response, where `RewardPrompt` asks for Yes or No."""

    @property
    def answers(self) -> tuple[str, str]:
        """What is shown as the judgement of a good and of a bad response."""
        return (str(HIGHEST), str(LOWEST))

    @property
    def scalar_question(self) -> str:
        """What is asked of one response."""
        return RATING_QUESTION.format(criterion=self.criterion)


def judge_prompt(criterion: str, form: JudgeForm, system: str | None = None) -> RewardPrompt:
    """The prompt of a form of judgement.

    Args:
        criterion: What a good response does, as a sentence.
        form: How the judge is to say it.
        system: A system turn before the question.

    Returns:
        The prompt; its `form` is `"ranked"` where two responses are compared.

    Raises:
        InputError: The criterion is empty or the form unknown.
    """
    if form not in get_args(JudgeForm):
        raise InputError(f"form is one of {get_args(JudgeForm)}; got {form!r}.")
    if form == "rating":
        return RatingPrompt(criterion, "scalar", system)
    return RewardPrompt(criterion, "scalar" if form == "yes-no" else "ranked", system)


def read_verdict(text: str, form: JudgeForm) -> float | None:
    """The verdict in what a judge wrote.

    Args:
        text: What it wrote.
        form: How it was asked to say it.

    Returns:
        From -1 to 1: 1 for Yes, for the highest rating and for response A; -1 for No, for the
        lowest rating and for response B; other ratings evenly between. None where there is no
        verdict, more than one, or a rating that is out of range.
    """
    match form:
        case "yes-no":
            answer = read_answer(text, Question("", "yes-no", {}))
            return None if answer is None else 1.0 if answer == YES else -1.0
        case "rating":
            rating = _rating(text)
            middle, reach = (HIGHEST + LOWEST) / 2, (HIGHEST - LOWEST) / 2
            return None if rating is None else (rating - middle) / reach
    letter = _letter(text)
    return None if letter is None else 1.0 if letter == "A" else -1.0


def _rating(text: str) -> float | None:
    for pattern in (_OUT_OF, _NAMED_RATING):
        found = {float(number) for number in pattern.findall(text)}
        if found:
            return _in_range(found)
    leading = _LEADING.match(text)
    if leading:
        return _in_range({float(leading[1])})
    return _in_range({float(number) for number in _ANY_NUMBER.findall(text)})


def _in_range(found: set[float]) -> float | None:
    if len(found) != 1:
        return None
    rating = found.pop()
    return rating if LOWEST <= rating <= HIGHEST else None


def _letter(text: str) -> str | None:
    bracketed = {letter.upper() for letter in _IN_BRACKETS.findall(text)}
    if bracketed:
        return bracketed.pop() if len(bracketed) == 1 else None
    alone = _ALONE.match(text)
    if alone:
        return str(alone[1]).upper()
    for pattern in (*_CHOSEN_PATTERNS, _MENTIONED):
        found = {letter.upper() for letter in pattern.findall(text)}
        if found:
            return found.pop() if len(found) == 1 else None
    return None
