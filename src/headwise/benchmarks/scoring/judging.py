"""LLaVA-Bench's judging: a model rates a reference answer and the answer, from 1 to 10 each."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from headwise.benchmarks.scoring.matching import Reply
from headwise.errors import InputError
from headwise.evaluation.items import Measure

if TYPE_CHECKING:
    from headwise.engines.base import Sampling
    from headwise.prompts.conversation import Conversation

_NUMBER = re.compile(r"(?<![\w.])(10(?:\.0+)?|[1-9](?:\.\d+)?)(?![\w.]*\d)(?:\s*/\s*10)?")
_JUDGE_TOKENS = 1024


class Judge(Protocol):
    """What rates: any engine, also a hosted model (`headwise.engines.openai`)."""

    def generate(
        self, conversations: Sequence[Conversation], sampling: Sampling | None = None
    ) -> list[str]:
        """The judge's texts; see `Engine.generate`."""


@dataclass(frozen=True, slots=True)
class Rating:
    """What a judge gave.

    Args:
        reference: To the reference answer, 1 to 10.
        answer: To the answer that is judged.
    """

    reference: float
    answer: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A rated answer.

    Args:
        rating: The rating; None where the judge's text could not be read.
        split: The category of the question.
    """

    rating: Rating | None
    split: str


def relative_scores(judged: Sequence[Judged], name: str = "relative_score") -> list[Measure]:
    """Ratings of answers as a share of those of the references.

    Args:
        judged: Rated answers; those that could not be rated are left out and counted.
        name: What the figures are called.

    Returns:
        The sum of the answers' ratings divided by that of the references', over all and of each
        category; and the share of answers that could not be rated. It may exceed 1.

    Raises:
        InputError: Nothing could be rated.
    """
    rated = [one for one in judged if one.rating is not None]
    if not rated:
        raise InputError(
            "No answer could be rated: none of the judge's texts begins with two numbers from 1 to "
            "10. Use a stronger judge."
        )
    splits = list(dict.fromkeys(one.split for one in rated))
    found = [Measure(name, _ratio(rated), len(rated))]
    if len(splits) > 1:
        for split in splits:
            part = [one for one in rated if one.split == split]
            found.append(Measure(name, _ratio(part), len(part), split))
    unrated = (len(judged) - len(rated)) / len(judged)
    return [*found, Measure("unrated", unrated, len(judged))]


def _ratio(judged: Sequence[Judged]) -> float:
    ratings = [one.rating for one in judged if one.rating is not None]
    return math.fsum(r.answer for r in ratings) / math.fsum(r.reference for r in ratings)


def read_rating(text: str) -> Rating | None:
    """The two numbers with which a judge's text begins.

    Args:
        text: What the judge wrote.

    Returns:
        The numbers of its first line that has two; None where no line has.
    """
    for line in text.splitlines():
        found = _NUMBER.findall(line)
        if len(found) == 2:
            return Rating(float(found[0]), float(found[1]))
    return None


def judged_by(judge: Judge, replies: Sequence[Reply]) -> list[Judged]:
    """Has answers rated.

    Args:
        judge: What rates; greedy. It sees no picture but the captions that come with the data, as
            in the official rule.
        replies: Answers to questions with a reference; None counts as an empty answer.

    Returns:
        The ratings.
    """
    from headwise.engines.base import Sampling
    from headwise.prompts.conversation import Conversation

    texts = judge.generate(
        [Conversation.user(_prompt(reply)) for reply in replies],
        Sampling(max_new_tokens=_JUDGE_TOKENS),
    )
    return [
        Judged(read_rating(text), reply.item.split)
        for text, reply in zip(texts, replies, strict=True)
    ]


def _prompt(reply: Reply) -> str:
    item = reply.item
    return (
        f"[Context]\n{item.tags.get('caption', '')}\n\n"
        f"[Question]\n{item.example.text}\n\n"
        f"[Answer 1]\n{item.references[0]}\n[End of answer 1]\n\n"
        f"[Answer 2]\n{reply.output.answer or ''}\n[End of answer 2]\n\n"
        "The context describes an image that the question is about. Rate both answers for "
        "helpfulness, relevance, accuracy and level of detail, each with one number from 1 to 10; "
        "a higher one is better. Their order must not matter.\n"
        "On the first line write the two numbers only, that of answer 1 first, with a blank "
        "between them. Then explain them."
    )
