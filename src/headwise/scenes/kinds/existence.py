"""Whether something is there; what is not there is nearly there: one word of it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from headwise.scenes.chance import coin, pick
from headwise.scenes.description import Description
from headwise.scenes.question import Needs, SceneQuestion, yes_no
from headwise.scenes.scene import Scene
from headwise.scenes.vocabulary import TEXTURES_OF, VALUES, Attribute

_FORMS: tuple[tuple[Attribute, ...], ...] = (
    ("color", "shape"),
    ("color", "shape"),
    ("color",),
    ("shape",),
    ("texture", "shape"),
    ("size", "color", "shape"),
)
_QUESTIONS = 2
_SEEN = 0.7


def ask(scene: Scene, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    """Yes/no questions for something that is there, or nearly.

    Args:
        scene: The scene.
        rng: Where chance comes from.

    Yields:
        The questions.
    """
    for _ in range(_QUESTIONS):
        attributes = pick(rng, _FORMS)
        description = Description.of(pick(rng, scene.objects), attributes)
        holds = coin(rng)
        if not holds:
            description = _nearly(scene, description, attributes, rng)
        a = description.with_article()
        texts = (
            f"Is there {a}?",
            f"Can you see {a} in the picture?",
            f"Does the image show {a}?",
        )
        yield yes_no(
            "existence",
            pick(rng, texts),
            holds,
            description.among(scene),
            Needs(objects=1),
            f"there is {a}",
            f"there is no {description.noun()}",
        )


def _nearly(
    scene: Scene,
    description: Description,
    attributes: tuple[Attribute, ...],
    rng: np.random.Generator,
) -> Description:
    """The description with one word changed so that nothing fits it."""
    while True:
        # No scene has all shapes or all colours, so these can always be changed.
        attribute = pick(rng, attributes)
        seen = [str(getattr(thing, attribute)) for thing in scene.objects]
        # What is seen on another object is harder to deny.
        value = pick(rng, seen if coin(rng, _SEEN) else VALUES[attribute])
        change: dict[str, Any] = {attribute: value}
        changed = replace(description, **change)
        if not changed.among(scene) and _can_be(changed):
            return changed


def _can_be(description: Description) -> bool:
    # A striped ring is never drawn, so asking for one would give the answer away.
    if description.shape is None or description.texture is None:
        return True
    return description.texture in TEXTURES_OF[description.shape]
