"""How many there are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from headwise.scenes.chance import coin, pick
from headwise.scenes.description import Description, counted
from headwise.scenes.question import Needs, SceneQuestion, yes_no
from headwise.scenes.scene import Scene
from headwise.scenes.vocabulary import MOST_OBJECTS, VALUES, Attribute

_ABSENT = 0.12
_COUNTED: tuple[Attribute, ...] = ("color", "shape", "size", "texture")


def ask(scene: Scene, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    """How many objects there are, how many of some kind, and whether a number is right.

    Args:
        scene: The scene.
        rng: Where chance comes from.

    Yields:
        The questions.
    """
    everything = Description()
    yield _how_many(scene, everything, rng)
    yield _how_many(scene, _some_kind(scene, rng), rng)
    yield _whether(scene, everything, rng)


def _how_many(scene: Scene, description: Description, rng: np.random.Generator) -> SceneQuestion:
    plural = description.plural(pick(rng, ("object", "shape")))
    found = description.among(scene)
    texts = (
        f"How many {plural} are there?",
        f"How many {plural} can you see?",
        f"What is the number of {plural}?",
    )
    return SceneQuestion(
        "counting",
        pick(rng, texts),
        str(len(found)),
        "count",
        found,
        Needs(objects=len(found)),
        f"the number of {plural} is {{answer}}",
    )


def _whether(scene: Scene, description: Description, rng: np.random.Generator) -> SceneQuestion:
    found = description.among(scene)
    holds = coin(rng)
    number = len(found) if holds else _other_number(len(found), rng)
    are = "is" if number == 1 else "are"
    exactly = f"exactly {counted(number, description.noun())}"
    return yes_no(
        "counting",
        f"{are.capitalize()} there {exactly}?",
        holds,
        found,
        Needs(objects=len(found)),
        f"there {are} {exactly}",
        f"there {are} not {exactly}",
    )


def _other_number(number: int, rng: np.random.Generator) -> int:
    # Any other, and not one nearby: then no number is asked for more often than it is there.
    return pick(rng, [other for other in range(1, MOST_OBJECTS + 1) if other != number])


def _some_kind(scene: Scene, rng: np.random.Generator) -> Description:
    """A kind that is counted: now and then absent, else rather one with several objects."""
    attribute = pick(rng, _COUNTED)
    seen = [str(getattr(thing, attribute)) for thing in scene.objects]
    absent = [value for value in VALUES[attribute] if value not in seen]
    several = [value for value in seen if seen.count(value) > 1]
    if absent and coin(rng, _ABSENT):
        return Description.saying(attribute, pick(rng, absent))
    return Description.saying(attribute, pick(rng, several if several and coin(rng) else seen))
