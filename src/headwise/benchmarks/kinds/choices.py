"""Multiple choice: questions with lettered options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase

from headwise.content import Image
from headwise.evaluation.items import QuestionItem
from headwise.examples import Example


def multiple_choice(
    name: str,
    text: str,
    options: Sequence[str],
    answer: int,
    images: tuple[Image, ...],
    *,
    split: str = "all",
    group: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> QuestionItem:
    """A question whose options are lettered.

    Args:
        name: The item's name.
        text: The question. The options are the example's fields `A`, `B`, ...
        options: Their texts.
        answer: Which one is right, from 0.
        images: The pictures.
        split: The part it belongs to.
        group: What it is scored together with.
        tags: What else the rule needs.

    Returns:
        The item; its options and label are letters.
    """
    letters = tuple(ascii_uppercase[: len(options)])
    fields = dict(zip(letters, options, strict=True))
    example = Example(text, letters[answer], fields, images=images)
    return QuestionItem(name, example, letters, (letters[answer],), split, group, dict(tags or {}))
