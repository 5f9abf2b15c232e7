"""Everything that can be asked of a scene."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np

from headwise.errors import InputError
from headwise.scenes.kinds import (
    attribute,
    comparison,
    composition,
    conflict,
    counting,
    existence,
    label,
    relation,
)
from headwise.scenes.question import QUESTION_KINDS, QuestionKind, SceneQuestion
from headwise.scenes.scene import Scene

_ASK: Mapping[QuestionKind, Callable[[Scene, np.random.Generator], Iterator[SceneQuestion]]] = {
    "attribute": attribute.ask,
    "existence": existence.ask,
    "counting": counting.ask,
    "comparison": comparison.ask,
    "relation": relation.ask,
    "composition": composition.ask,
    "label": label.ask,
    "conflict": conflict.ask,
}


def questions(
    scene: Scene,
    rng: np.random.Generator,
    kinds: Collection[QuestionKind] = QUESTION_KINDS,
) -> list[SceneQuestion]:
    """Questions of every kind that a scene allows, each with one right answer.

    Whatever is in doubt (objects that lie diagonally, references that fit two) is not asked about.
    Half of the yes/no questions are answered Yes.

    Args:
        scene: The scene.
        rng: Where chance comes from: which objects, which wording, Yes or No.
        kinds: The kinds to ask.

    Returns:
        About 20 questions for all kinds, no text twice.

    Raises:
        InputError: A kind is unknown.
    """
    unknown = sorted(set(kinds) - set(QUESTION_KINDS))
    if unknown:
        raise InputError(f"Kinds of questions are {QUESTION_KINDS}; got {unknown}.")
    asked: dict[str, SceneQuestion] = {}
    for kind in QUESTION_KINDS:
        if kind in kinds:
            # A question that tempts replaces the same text asked without knowing so.
            asked.update({question.text: question for question in _ASK[kind](scene, rng)})
    return list(asked.values())
