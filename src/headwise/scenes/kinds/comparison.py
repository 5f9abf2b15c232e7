"""Comparing two objects, or two numbers of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from headwise.scenes.chance import coin, pick, shuffled
from headwise.scenes.description import Description, Referent, refer
from headwise.scenes.question import Needs, SceneQuestion, yes_no
from headwise.scenes.scene import Scene
from headwise.scenes.vocabulary import VALUES, Attribute

_TWO_OBJECTS = Needs(objects=2)
_COMPARED: tuple[Attribute, ...] = ("color", "shape", "texture", "size")
# Most objects are solid and more are small than large: there would be nothing to see.
_NUMBERED: tuple[Attribute, ...] = ("color", "shape")


def ask(scene: Scene, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    """Which of two objects is larger, whether two are alike, and of which kind there are more.

    Args:
        scene: The scene.
        rng: Where chance comes from.

    Yields:
        The questions.
    """
    yield from _larger(scene, rng)
    for attribute in _COMPARED:
        yield from _same(scene, attribute, rng)
    yield from _more(scene, rng)


def _larger(scene: Scene, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    pairs = _pairs(scene, "size", rng, alike=False)
    if not pairs:
        return
    first, second = shuffled(rng, pick(rng, pairs))
    larger = first if scene.objects[first.number].size == "large" else second
    texts = (
        f"Which is larger, {first.the} or {second.the}?",
        f"Which one is bigger: {first.the} or {second.the}?",
    )
    yield SceneQuestion(
        "comparison",
        pick(rng, texts),
        larger.the,
        "object",
        (larger.number, (second if larger is first else first).number),
        _TWO_OBJECTS,
        "{answer} is larger",
        choices=(first.the, second.the),
    )
    first, second = shuffled(rng, (first, second))
    yield yes_no(
        "comparison",
        f"Is {first.the} larger than {second.the}?",
        scene.objects[first.number].size == "large",
        (first.number, second.number),
        _TWO_OBJECTS,
        f"{first.the} is larger than {second.the}",
        f"{first.the} is not larger than {second.the}",
    )


def _same(scene: Scene, attribute: Attribute, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    same = _pairs(scene, attribute, rng, alike=True)
    different = _pairs(scene, attribute, rng, alike=False)
    if not same or not different:
        return
    holds = coin(rng)
    first, second = shuffled(rng, pick(rng, same if holds else different))
    both = f"{first.the} and {second.the}"
    texts = (
        f"Do {both} have the same {attribute}?",
        f"Does {first.the} have the same {attribute} as {second.the}?",
    )
    yield yes_no(
        "comparison",
        pick(rng, texts),
        holds,
        (first.number, second.number),
        _TWO_OBJECTS,
        f"{both} have the same {attribute}",
        f"{both} do not have the same {attribute}",
    )


def _more(scene: Scene, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    attribute = pick(rng, _NUMBERED)
    seen = [str(getattr(thing, attribute)) for thing in scene.objects]
    several = sorted({value for value in seen if seen.count(value) > 1})
    if not several:
        return
    more = pick(rng, several)
    fewer = [value for value in VALUES[attribute] if seen.count(value) < seen.count(more)]
    # What is not there at all is compared only where nothing else can be.
    less = pick(rng, [value for value in fewer if value in seen] or fewer)
    order = shuffled(rng, (more, less))
    first, second = (Description.saying(attribute, value) for value in order)
    found = (*first.among(scene), *second.among(scene))
    words = f"more {first.plural()} than {second.plural()}"
    yield yes_no(
        "comparison",
        f"Are there {words}?",
        order[0] == more,
        found,
        Needs(objects=len(found)),
        f"there are {words}",
        f"there are not {words}",
    )


def _pairs(
    scene: Scene, attribute: Attribute, rng: np.random.Generator, *, alike: bool
) -> list[tuple[Referent, Referent]]:
    """Pairs of objects that can be referred to without an attribute, alike in it or not."""
    referents = [
        referent
        for number in range(len(scene.objects))
        if (referent := refer(scene, number, rng, hidden={attribute})) is not None
    ]
    values = [getattr(thing, attribute) for thing in scene.objects]
    return [
        (first, second)
        for first, second in combinations(referents, 2)
        if (values[first.number] == values[second.number]) == alike
    ]
