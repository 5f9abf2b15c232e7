"""Wrong answers that somebody might give, and answers that take many words to say little."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from headwise.scenes.chance import pick, shuffled
from headwise.scenes.kinds.label import other_labels
from headwise.scenes.kinds.relation import name_of_answer
from headwise.scenes.question import NO, YES, SceneQuestion
from headwise.scenes.scene import Scene
from headwise.scenes.vocabulary import COLORS, LABELS, SHAPES

OPENINGS: tuple[str, ...] = (
    "That is a very good question, and I am happy to look into it.",
    "Let me look at the picture closely and go through it step by step.",
    "I have taken my time to study the whole image before answering.",
    "There is quite a lot to consider here, so let me be thorough.",
    "Thank you for sharing this picture with me.",
    "To answer this properly, one has to look at every part of the image.",
)
"""Sentences that come before a padded answer."""

FILLERS: tuple[str, ...] = (
    "This can be seen from how it stands out from what surrounds it.",
    "I compared everything in the picture with care to be certain.",
    "The way the picture is composed makes this quite clear.",
    "It is worth noting that every detail of the image supports this.",
    "Taking the picture as a whole, any other reading seems impossible.",
    "I looked a second time, and the impression stayed the same.",
    "This is what most people would notice first when they look at it.",
    "Such details are easily overlooked, which is why I checked them with attention.",
    "I hope that this explanation is helpful and as complete as you wished.",
    "Please let me know if you would like me to describe anything else.",
)
"""Sentences that come after a padded answer."""

_LEAST_FILLERS, _MOST_FILLERS = 2, 4


def wrong_answers(
    question: SceneQuestion, scene: Scene, rng: np.random.Generator
) -> tuple[str, ...]:
    """Wrong answers of the kind that the question asks for, the most plausible first.

    Args:
        question: The question.
        scene: The scene it is about.
        rng: Where chance comes from.

    Returns:
        The answers, at least one: first the tempting one, then what is true of other objects of
        the scene, then the rest.
    """
    first = [question.tempting] if question.tempting is not None else []
    ordered = dict.fromkeys([*first, *_candidates(question, scene, rng)])
    return tuple(answer for answer in ordered if answer != question.answer)


def padded_sentence(question: SceneQuestion, answer: str, rng: np.random.Generator) -> str:
    """An answer as a full sentence among sentences that say nothing.

    Args:
        question: The question.
        answer: The answer, right or wrong.
        rng: Where chance comes from.

    Returns:
        Four to six sentences, one of which answers.
    """
    count = int(rng.integers(_LEAST_FILLERS, _MOST_FILLERS + 1))
    fillers = shuffled(rng, FILLERS)[:count]
    return " ".join([pick(rng, OPENINGS), question.sentence(answer), *fillers])


def _candidates(question: SceneQuestion, scene: Scene, rng: np.random.Generator) -> Iterator[str]:
    kind = question.answer_kind
    if kind == "yes_no":
        yield from (YES, NO)
    elif question.choices:
        yield from shuffled(rng, question.choices)
    elif kind == "count":
        number = int(question.answer)
        for distance in (1, 2):
            near = (number - distance, number + distance)
            yield from shuffled(rng, (str(other) for other in near if other >= 0))
    elif kind == "object":
        yield from _objects(question, scene, rng)
    elif kind == "label":
        yield from shuffled(rng, other_labels(scene, question.about[0]))
        yield from shuffled(rng, LABELS)
    else:
        yield from shuffled(rng, (str(getattr(thing, kind)) for thing in scene.objects))
        yield from shuffled(rng, COLORS if kind == "color" else SHAPES)


def _objects(question: SceneQuestion, scene: Scene, rng: np.random.Generator) -> Iterator[str]:
    """Other objects of the scene, those the question is about last; then objects nearly there."""
    right = question.about[0]
    numbers = shuffled(rng, range(len(scene.objects)))
    for number in sorted(numbers, key=lambda number: number in question.about):
        name = name_of_answer(scene, number)
        if number != right and name is not None:
            yield name
    thing = scene.objects[right]
    for color in shuffled(rng, COLORS)[:2]:
        yield f"the {color} {thing.shape}"
    for shape in shuffled(rng, SHAPES)[:2]:
        yield f"the {thing.color} {shape}"
