"""Saying what is in a scene, in a sentence or in full."""

from __future__ import annotations

from typing import Literal

import numpy as np

from headwise.errors import InputError
from headwise.scenes.chance import coin, pick, shuffled
from headwise.scenes.description import Description, counted, listed, references, with_article
from headwise.scenes.question import sentence_of
from headwise.scenes.relations import linking_relations, reading_order, region_of
from headwise.scenes.scene import Scene
from headwise.scenes.vocabulary import PREPOSITIONS, Attribute

Detail = Literal["short", "long"]

_NAME: tuple[Attribute, ...] = ("color", "shape")
_LOOKS: tuple[Attribute, ...] = ("size", "texture", "color", "shape")
_LOOKS_IF_SOLID: tuple[Attribute, ...] = ("size", "color", "shape")
_RELATED = 0.4


def caption(scene: Scene, rng: np.random.Generator, detail: Detail = "short") -> str:
    """A caption that is true of a scene.

    Args:
        scene: The scene.
        rng: Where chance comes from: the wording, and in short captions the order.
        detail: `"short"` names colours and shapes in one sentence, two objects sometimes by their
            relation; `"long"` says of each object, in reading order, its size, texture, place and
            label, and where objects lie from each other.

    Returns:
        The caption.

    Raises:
        InputError: The detail is unknown.
    """
    if detail == "short":
        return _related(scene, rng) if coin(rng, _RELATED) else _list(scene, rng)
    if detail == "long":
        return _long(scene, rng)
    raise InputError(f"detail is 'short' or 'long'; got {detail!r}.")


def _related(scene: Scene, rng: np.random.Generator) -> str:
    """Two objects by their relation, if there are two that differ and it is clear."""
    links = linking_relations(scene)
    if len(scene.objects) != 2 or not links or _name(scene, 0) == _name(scene, 1):
        return _list(scene, rng)
    link = links[0] if coin(rng) else links[0].reversed()
    subject, anchor = (with_article(_name(scene, n)) for n in (link.subject, link.anchor))
    related = f"{subject} {PREPOSITIONS[link.direction]} {anchor}"
    return sentence_of(pick(rng, (related, f"a picture of {related}", f"there is {related}")))


def _list(scene: Scene, rng: np.random.Generator) -> str:
    names = [_name(scene, number) for number in shuffled(rng, range(len(scene.objects)))]
    counts = {name: names.count(name) for name in names}
    things = listed(
        [
            with_article(name) if count == 1 else counted(count, name)
            for name, count in counts.items()
        ]
    )
    are = "are" if next(iter(counts.values())) > 1 else "is"
    texts = (
        things,
        f"a picture of {things}",
        f"an image with {things}",
        f"there {are} {things}",
        f"the picture shows {things}",
    )
    return sentence_of(pick(rng, texts))


def _long(scene: Scene, rng: np.random.Generator) -> str:
    objects = counted(len(scene.objects), "object")
    are = "is" if len(scene.objects) == 1 else "are"
    openings = (
        f"the picture shows {objects}",
        f"there {are} {objects} in the image",
        f"{objects} {are} in the picture",
    )
    sentences = [pick(rng, openings)]
    sentences += [_described(scene, number, rng) for number in reading_order(scene)]
    for link in linking_relations(scene):
        told = link if coin(rng) else link.reversed()
        subject, anchor = (references(scene, number) for number in (told.subject, told.anchor))
        if subject and anchor:
            words = f"{PREPOSITIONS[told.direction]} the {anchor[0].noun()}"
            sentences.append(f"the {subject[0].noun()} is {words}")
    return " ".join(sentence_of(words) for words in sentences)


def _described(scene: Scene, number: int, rng: np.random.Generator) -> str:
    thing = scene.objects[number]
    looks = _LOOKS_IF_SOLID if thing.texture == "solid" and coin(rng) else _LOOKS
    noun = Description.of(thing, looks).with_article()
    place = region_of(thing)
    if place is None:
        words = f"there is {noun}"
    else:
        words = pick(rng, (f"there is {noun} {place}", f"{noun} is {place}"))
    return words if thing.label is None else f'{words}, with "{thing.label}" written under it'


def _name(scene: Scene, number: int) -> str:
    return Description.of(scene.objects[number], _NAME).noun()
