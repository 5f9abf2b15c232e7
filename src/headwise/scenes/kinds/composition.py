"""Questions about an object that is told by where it lies from another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from headwise.scenes.chance import pick
from headwise.scenes.description import refer
from headwise.scenes.kinds.attribute import choices_of, statement, values_in, wording
from headwise.scenes.kinds.claim import draw_claim
from headwise.scenes.question import Needs, SceneQuestion, yes_no
from headwise.scenes.relations import Relation, preposition, sole_relations
from headwise.scenes.scene import Scene
from headwise.scenes.vocabulary import THINGS, Attribute

_ONE_RELATION = Needs(objects=2, relations=1)
_ATTRIBUTES: tuple[Attribute, ...] = ("color", "shape", "color", "shape", "size", "texture")


def ask(scene: Scene, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    """An open and a yes/no question about an object in some direction from another.

    Args:
        scene: The scene.
        rng: Where chance comes from.

    Yields:
        The questions.
    """
    relations = sole_relations(scene)
    if relations:
        yield from _open(scene, pick(rng, relations), rng)
        yield from _closed(scene, relations, rng)


def _open(scene: Scene, relation: Relation, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    attribute = pick(rng, _ATTRIBUTES)
    the = _indirect(scene, relation, rng)
    if the is None:
        return
    yield SceneQuestion(
        "composition",
        wording(attribute, the, rng),
        values_in(scene, attribute)[relation.subject],
        attribute,
        (relation.subject, relation.anchor),
        _ONE_RELATION,
        statement(attribute, the),
        choices=choices_of(attribute),
    )


def _closed(
    scene: Scene, relations: Sequence[Relation], rng: np.random.Generator
) -> Iterator[SceneQuestion]:
    attribute = pick(rng, _ATTRIBUTES)
    claim = draw_claim(scene, attribute, [relation.subject for relation in relations], rng)
    if claim is None:
        return
    relation = relations[claim.place]
    the = _indirect(scene, relation, rng)
    if the is None:
        return
    yield yes_no(
        "composition",
        f"Is {the} {claim.words}?",
        claim.holds,
        (relation.subject, relation.anchor),
        _ONE_RELATION,
        f"{the} is {claim.words}",
        f"{the} is not {claim.words}",
    )


def _indirect(scene: Scene, relation: Relation, rng: np.random.Generator) -> str | None:
    anchor = refer(scene, relation.anchor, rng)
    if anchor is None:
        return None
    return f"the {pick(rng, THINGS)} {preposition(scene, relation)} {anchor.the}"
