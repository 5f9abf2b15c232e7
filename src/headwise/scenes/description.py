"""Objects in words: what is said of them, and references that fit one object only."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from headwise.scenes.chance import coin, pick
from headwise.scenes.scene import Scene, SceneObject
from headwise.scenes.vocabulary import NUMBERS, THINGS, Attribute, Color, Shape, Size, Texture

# From the way people refer to an object first, to what only a crowded scene needs.
_REFERENCES: tuple[tuple[Attribute, ...], ...] = (
    ("color", "shape"),
    ("shape",),
    ("color",),
    ("size", "shape"),
    ("size", "color"),
    ("texture", "shape"),
    ("texture", "color"),
    ("size", "color", "shape"),
    ("texture", "color", "shape"),
    ("size", "texture", "color", "shape"),
)
_FIRST = 0.6


@dataclass(frozen=True, slots=True)
class Description:
    """What is said of an object; None where nothing is.

    Args:
        size: Its size.
        texture: Its texture.
        color: Its colour.
        shape: Its shape.
    """

    size: Size | None = None
    texture: Texture | None = None
    color: Color | None = None
    shape: Shape | None = None

    @classmethod
    def of(cls, thing: SceneObject, attributes: Iterable[Attribute]) -> Description:
        """What an object looks like, as far as the given attributes go."""
        known: dict[str, Any] = {name: getattr(thing, name) for name in attributes}
        return cls(**known)

    @classmethod
    def saying(cls, attribute: Attribute, value: str) -> Description:
        """One attribute alone."""
        known: dict[str, Any] = {attribute: value}
        return cls(**known)

    def fits(self, thing: SceneObject) -> bool:
        """Whether everything that is said is true of an object."""
        return (
            (self.shape is None or self.shape == thing.shape)
            and (self.color is None or self.color == thing.color)
            and (self.size is None or self.size == thing.size)
            and (self.texture is None or self.texture == thing.texture)
        )

    def among(self, scene: Scene) -> tuple[int, ...]:
        """The numbers of the objects of a scene that it fits."""
        return tuple(n for n, thing in enumerate(scene.objects) if self.fits(thing))

    def noun(self, thing: str = "object") -> str:
        """The words without article, such as `"large red circle"`.

        Args:
            thing: The noun where no shape is said.
        """
        words = (self.size, self.texture, self.color, self.shape or thing)
        return " ".join(word for word in words if word is not None)

    def plural(self, thing: str = "object") -> str:
        """The words for several, such as `"red circles"`."""
        return plural(self.noun(thing))

    def with_article(self, thing: str = "object") -> str:
        """The words with the indefinite article, such as `"an orange star"`."""
        return with_article(self.noun(thing))


@dataclass(frozen=True, slots=True)
class Referent:
    """An object of a scene, and words that refer to it and to no other.

    Args:
        number: The object's number.
        noun: The words without article, such as `"red circle"`.
    """

    number: int
    noun: str

    @property
    def the(self) -> str:
        """The words with the article, such as `"the red circle"`."""
        return f"the {self.noun}"


def references(
    scene: Scene, number: int, hidden: Collection[Attribute] = ()
) -> tuple[Description, ...]:
    """The descriptions that fit one object of a scene and no other.

    Args:
        scene: The scene.
        number: The object's number.
        hidden: What must not be said, since it is asked for.

    Returns:
        The descriptions, the most natural first; none where the object has a twin.
    """
    thing = scene.objects[number]
    found = []
    for attributes in _REFERENCES:
        # Nobody refers to "the solid circle".
        said_solid = thing.texture == "solid" and "texture" in attributes
        if said_solid or any(name in hidden for name in attributes):
            continue
        description = Description.of(thing, attributes)
        if description.among(scene) == (number,):
            found.append(description)
    return tuple(found)


def refer(
    scene: Scene, number: int, rng: np.random.Generator, hidden: Collection[Attribute] = ()
) -> Referent | None:
    """Words that refer to an object of a scene and to no other.

    Args:
        scene: The scene.
        number: The object's number.
        rng: Where chance comes from.
        hidden: What must not be said, since it is asked for.

    Returns:
        Mostly the most natural words, now and then others as short; None if there are none.
    """
    found = references(scene, number, hidden)
    if not found:
        return None
    short = [description for description in found if _length(description) <= 2]
    chosen = found[0] if coin(rng, _FIRST) else pick(rng, short or found)
    return Referent(number, chosen.noun(pick(rng, THINGS)))


def with_article(noun: str) -> str:
    """A noun with the indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def plural(noun: str) -> str:
    """The plural of a noun of this package."""
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def counted(number: int, noun: str) -> str:
    """A number of things, such as `"one circle"` or `"three red shapes"`."""
    return f"{NUMBERS[number]} {noun if number == 1 else plural(noun)}"


def listed(items: Collection[str]) -> str:
    """Words as a list in a sentence: `"a, b and c"`."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def _length(description: Description) -> int:
    said = (description.size, description.texture, description.color, description.shape)
    return sum(word is not None for word in said)
