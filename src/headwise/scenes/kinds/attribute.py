"""Questions about one object: its colour, shape, size or texture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from headwise.scenes.chance import pick
from headwise.scenes.description import Referent, refer
from headwise.scenes.kinds.claim import draw_claim
from headwise.scenes.question import Needs, SceneQuestion, yes_no
from headwise.scenes.scene import Scene
from headwise.scenes.vocabulary import SIZES, TEXTURES, TEXTURES_OF, VALUES, Attribute


def ask(scene: Scene, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    """One open and one yes/no question for each attribute.

    Args:
        scene: The scene.
        rng: Where chance comes from.

    Yields:
        The questions.
    """
    for attribute in VALUES:
        referents = _referents(scene, attribute, rng)
        if referents:
            yield _open(scene, pick(rng, referents), attribute, rng)
            yield from _closed(scene, referents, attribute, rng)


def wording(attribute: Attribute, the: str, rng: np.random.Generator) -> str:
    """A question for an attribute.

    Args:
        attribute: What is asked for.
        the: The words that refer to the object, with the article.
        rng: Where chance comes from.

    Returns:
        The question.
    """
    if attribute == "size":
        return pick(rng, (f"What size is {the}?", f"Is {the} small or large?"))
    if attribute == "texture":
        return pick(
            rng,
            (
                f"What texture does {the} have?",
                f"What is the texture of {the}?",
                f"Is {the} solid, striped, dotted or outlined?",
            ),
        )
    return pick(
        rng,
        (
            f"What {attribute} is {the}?",
            f"What is the {attribute} of {the}?",
            f"Which {attribute} does {the} have?",
        ),
    )


def choices_of(attribute: Attribute) -> tuple[str, ...]:
    """The answers that go without saying: a size or texture is one of a few."""
    return {"size": SIZES, "texture": TEXTURES}.get(attribute, ())


def statement(attribute: Attribute, the: str) -> str:
    """The sentence that answers, without capital and full stop, with a place for the value.

    Args:
        attribute: What is asked for.
        the: The words that refer to the object, with the article.

    Returns:
        The sentence.
    """
    return f"{the} is a {{answer}}" if attribute == "shape" else f"{the} is {{answer}}"


def values_in(scene: Scene, attribute: Attribute) -> list[str]:
    """What each object of a scene has for an attribute."""
    return [str(getattr(thing, attribute)) for thing in scene.objects]


def _open(
    scene: Scene, referent: Referent, attribute: Attribute, rng: np.random.Generator
) -> SceneQuestion:
    return SceneQuestion(
        "attribute",
        wording(attribute, referent.the, rng),
        values_in(scene, attribute)[referent.number],
        attribute,
        (referent.number,),
        Needs(objects=1),
        statement(attribute, referent.the),
        choices=choices_of(attribute),
    )


def _closed(
    scene: Scene, referents: list[Referent], attribute: Attribute, rng: np.random.Generator
) -> Iterator[SceneQuestion]:
    numbers = [referent.number for referent in referents]
    claim = draw_claim(scene, attribute, numbers, rng)
    if claim is None:
        return
    the = referents[claim.place].the
    yield yes_no(
        "attribute",
        f"Is {the} {claim.words}?",
        claim.holds,
        (numbers[claim.place],),
        Needs(objects=1),
        f"{the} is {claim.words}",
        f"{the} is not {claim.words}",
    )


def _referents(scene: Scene, attribute: Attribute, rng: np.random.Generator) -> list[Referent]:
    """Words for every object that has some without the attribute."""
    return [
        referent
        for number, thing in enumerate(scene.objects)
        # To ask for the texture of what has one only gives the answer away.
        if attribute != "texture" or len(TEXTURES_OF[thing.shape]) > 1
        if (referent := refer(scene, number, rng, hidden={attribute})) is not None
    ]
