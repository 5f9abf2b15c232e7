"""What a yes/no question claims of an object, so that the claim alone doesn't tell the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headwise.scenes.chance import coin, pick
from headwise.scenes.description import with_article
from headwise.scenes.scene import Scene, SceneObject
from headwise.scenes.vocabulary import TEXTURES_OF, VALUES, Attribute


@dataclass(frozen=True, slots=True)
class Claim:
    """That one of several objects has some value for an attribute.

    Args:
        place: Which of the objects.
        words: What is claimed, as it stands after "is".
        holds: Whether it is true.
    """

    place: int
    words: str
    holds: bool


def draw_claim(
    scene: Scene, attribute: Attribute, numbers: Sequence[int], rng: np.random.Generator
) -> Claim | None:
    """A claim about one of several objects, as likely true as false whatever it claims.

    The value is drawn first and then an object that has it or has not. The other way round, "Is it
    small?" would mostly be true, for among many objects most are small.

    Args:
        scene: The scene.
        attribute: The attribute.
        numbers: The objects to choose from.
        rng: Where chance comes from.

    Returns:
        The claim, whose value another of the objects has; None if all of several are alike, or a
        single one can't have another value.
    """
    things = [scene.objects[number] for number in numbers]
    owned = [str(getattr(thing, attribute)) for thing in things]
    holds = coin(rng)
    if len(things) == 1:
        others = _others(things[0], attribute)
        if not others:
            return None
        value = owned[0] if holds else pick(rng, others)
        return Claim(0, spoken(attribute, value), holds)
    distinct = sorted(set(owned))
    if len(distinct) == 1:
        return None
    value = pick(rng, distinct)
    places = [
        place
        for place, own in enumerate(owned)
        if (own == value) == holds and value in (own, *_others(things[place], attribute))
    ]
    return Claim(pick(rng, places), spoken(attribute, value), holds) if places else None


def spoken(attribute: Attribute, value: str) -> str:
    """A value as it stands after "is": `"red"`, but `"a circle"`."""
    return with_article(value) if attribute == "shape" else value


def _others(thing: SceneObject, attribute: Attribute) -> list[str]:
    """What an object might have for an attribute and hasn't."""
    possible = TEXTURES_OF[thing.shape] if attribute == "texture" else VALUES[attribute]
    return [value for value in possible if value != getattr(thing, attribute)]
