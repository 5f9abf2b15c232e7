"""Questions with the answers yes and no."""

from __future__ import annotations

from collections.abc import Mapping

from headwise.content import Image
from headwise.evaluation.items import QuestionItem
from headwise.examples import Example

OPTIONS = ("Yes", "No")


def yes_no(
    name: str,
    text: str,
    images: tuple[Image, ...],
    label: bool,
    *,
    split: str = "all",
    group: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> QuestionItem:
    """A question that is answered Yes or No.

    Args:
        name: The item's name.
        text: The question; that the answer is yes or no is left to who asks it.
        images: Its pictures.
        label: Whether the answer is yes.
        split: The part it belongs to.
        group: What it is scored together with.
        tags: What else the rule needs.

    Returns:
        The item.
    """
    answer = OPTIONS[0] if label else OPTIONS[1]
    example = Example(text, answer, images=images)
    return QuestionItem(name, example, OPTIONS, (answer,), split, group, dict(tags or {}))
