"""Reading the words that stand under objects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from headwise.scenes.chance import coin, pick
from headwise.scenes.description import refer
from headwise.scenes.kinds.relation import name_of_answer
from headwise.scenes.question import Needs, SceneQuestion, yes_no
from headwise.scenes.scene import Scene
from headwise.scenes.vocabulary import COLOR_LABELS, LABELS, SHAPE_LABELS

_ONE_OBJECT = Needs(objects=1)


def ask(scene: Scene, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    """What is written, whether it is, under what, and whether anything is.

    Args:
        scene: The scene.
        rng: Where chance comes from.

    Yields:
        The questions.
    """
    labelled = [n for n, thing in enumerate(scene.objects) if thing.label is not None]
    if not labelled:
        return
    for ask_about in (_what, _whether, _under_what):
        number = pick(rng, labelled)
        yield from ask_about(scene, number, str(scene.objects[number].label), rng)
    bare = [n for n, thing in enumerate(scene.objects) if thing.label is None]
    if bare:
        yield from _whether_any(scene, labelled, bare, rng)


def other_labels(scene: Scene, number: int) -> tuple[str, ...]:
    """Words that might stand under an object and don't.

    Args:
        scene: The scene.
        number: The number of an object with a label.

    Returns:
        The labels of other objects, if there are, or else words of the same sort as its own.
    """
    thing = scene.objects[number]
    # Under an object stands never its own colour or shape: to ask for it gives the answer away.
    never = (thing.label, thing.color.upper(), thing.shape.upper())
    seen = [other.label for other in scene.objects if other.label not in (None, *never)]
    sorts = (tuple(COLOR_LABELS), tuple(SHAPE_LABELS), LABELS)
    own_sort = next((words for words in sorts if thing.label in words), LABELS)
    return tuple(filter(None, seen)) or tuple(word for word in own_sort if word not in never)


def _what(
    scene: Scene, number: int, label: str, rng: np.random.Generator
) -> Iterator[SceneQuestion]:
    referent = refer(scene, number, rng)
    if referent is None:
        return
    texts = (
        f"What is written under {referent.the}?",
        f"What does the label under {referent.the} say?",
    )
    yield SceneQuestion(
        "label",
        pick(rng, texts),
        label,
        "label",
        (number,),
        _ONE_OBJECT,
        f'the label under {referent.the} says "{{answer}}"',
    )


def _whether(
    scene: Scene, number: int, label: str, rng: np.random.Generator
) -> Iterator[SceneQuestion]:
    referent = refer(scene, number, rng)
    if referent is None:
        return
    holds = coin(rng)
    word = label if holds else pick(rng, other_labels(scene, number))
    yield yes_no(
        "label",
        f'Does the label under {referent.the} say "{word}"?',
        holds,
        (number,),
        _ONE_OBJECT,
        f'the label under {referent.the} says "{word}"',
        f'the label under {referent.the} does not say "{word}"',
    )


def _under_what(
    scene: Scene, number: int, label: str, rng: np.random.Generator
) -> Iterator[SceneQuestion]:
    answer = name_of_answer(scene, number)
    if answer is None or sum(thing.label == label for thing in scene.objects) > 1:
        return
    yield SceneQuestion(
        "label",
        f'Which object has the label "{label}"?',
        answer,
        "object",
        (number,),
        _ONE_OBJECT,
        f'{{answer}} has the label "{label}"',
    )


def _whether_any(
    scene: Scene, labelled: list[int], bare: list[int], rng: np.random.Generator
) -> Iterator[SceneQuestion]:
    holds = coin(rng)
    referent = refer(scene, pick(rng, labelled if holds else bare), rng)
    if referent is None:
        return
    yield yes_no(
        "label",
        f"Is anything written under {referent.the}?",
        holds,
        (referent.number,),
        _ONE_OBJECT,
        f"there is something written under {referent.the}",
        f"there is nothing written under {referent.the}",
    )
