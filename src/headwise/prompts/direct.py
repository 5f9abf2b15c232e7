"""The prompts of the zero-shot baselines: the plain question, and thinking before the answer."""

from __future__ import annotations

from headwise.content import with_images
from headwise.examples import Example
from headwise.prompts.answer_format import Question
from headwise.prompts.conversation import Conversation

THINK = "Before answering, think about it step by step."


def direct(example: Example, question: Question) -> Conversation:
    """The question as it is.

    Args:
        example: Whose images are shown.
        question: What is asked.

    Returns:
        The conversation.
    """
    return _user(example, question.full)


def thinking(example: Example, question: Question) -> Conversation:
    """The call that thinks; after Kojima et al. (arXiv:2205.11916), in our own words.

    Args:
        example: Whose images are shown.
        question: What is asked.

    Returns:
        The conversation.
    """
    return _user(example, f"Question: {question.asked}\n{THINK}")


def after_thinking(example: Example, question: Question, thoughts: str) -> Conversation:
    """The call that answers with what was thought.

    Args:
        example: Whose images are shown.
        question: What is asked.
        thoughts: What the first call wrote.

    Returns:
        The conversation.
    """
    return _user(
        example,
        f"Thoughts: {thoughts}\nUse the thoughts to answer the question.\n"
        f"Question: {question.full}",
    )


def _user(example: Example, text: str) -> Conversation:
    return Conversation.user(with_images(example.images, text))
