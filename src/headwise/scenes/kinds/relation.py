"""Where two objects lie from each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from headwise.scenes.chance import coin, pick, shuffled
from headwise.scenes.description import Description, Referent, refer
from headwise.scenes.question import Needs, SceneQuestion, yes_no
from headwise.scenes.relations import (
    Relation,
    clear_relations,
    excludes,
    preposition,
    sole_relations,
)
from headwise.scenes.scene import Scene
from headwise.scenes.vocabulary import DIRECTIONS, OPPOSITES, PREPOSITIONS, Direction

_ONE_RELATION = Needs(objects=2, relations=1)
_IN_FULL: dict[Direction, str] = {"left": "to the left of", "right": "to the right of"}


@dataclass(frozen=True, slots=True)
class _Pair:
    """A relation of two objects, with words for both."""

    relation: Relation
    subject: Referent
    anchor: Referent

    @property
    def about(self) -> tuple[int, ...]:
        return self.subject.number, self.anchor.number


def ask(scene: Scene, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    """Whether a relation holds, which one holds, and what is in a direction.

    Args:
        scene: The scene.
        rng: Where chance comes from.

    Yields:
        The questions.
    """
    for ask_about in (_whether, _which_side, _where):
        pair = _draw_pair(scene, rng)
        if pair is not None:
            yield ask_about(scene, pair, rng)
    sole = sole_relations(scene)
    if sole:
        yield from _what(scene, pick(rng, sole), rng)


def name_of_answer(scene: Scene, number: int) -> str | None:
    """An object as an answer, such as `"the red circle"`; None where it has a twin."""
    description = Description.of(scene.objects[number], ("color", "shape"))
    return f"the {description.noun()}" if len(description.among(scene)) == 1 else None


def _draw_pair(scene: Scene, rng: np.random.Generator) -> _Pair | None:
    relations = clear_relations(scene)
    if not relations:
        return None
    relation = pick(rng, relations)
    subject, anchor = refer(scene, relation.subject, rng), refer(scene, relation.anchor, rng)
    return None if subject is None or anchor is None else _Pair(relation, subject, anchor)


def _whether(scene: Scene, pair: _Pair, rng: np.random.Generator) -> SceneQuestion:
    holds = coin(rng)
    direction = pair.relation.direction if holds else _false_direction(scene, pair.relation, rng)
    words = pick(rng, (PREPOSITIONS[direction], _in_full(direction)))
    claim = f"{words} {pair.anchor.the}"
    return yes_no(
        "relation",
        f"Is {pair.subject.the} {claim}?",
        holds,
        pair.about,
        _ONE_RELATION,
        f"{pair.subject.the} is {claim}",
        f"{pair.subject.the} is not {claim}",
    )


def _which_side(scene: Scene, pair: _Pair, rng: np.random.Generator) -> SceneQuestion:
    right = pair.relation.direction
    sides = shuffled(rng, (right, OPPOSITES[right]))
    first, second = (_in_full(side) for side in sides)
    text = f"Is {pair.subject.the} {first} or {second} {pair.anchor.the}?"
    return _directed(pair, text, tuple(sides))


def _where(scene: Scene, pair: _Pair, rng: np.random.Generator) -> SceneQuestion:
    subject, anchor = pair.subject.the, pair.anchor.the
    texts = (
        f"Where is {subject} from {anchor}: left, right, above or below?",
        f"In which direction from {anchor} is {subject}: left, right, above or below?",
    )
    return _directed(pair, pick(rng, texts), DIRECTIONS)


def _directed(pair: _Pair, text: str, choices: tuple[Direction, ...]) -> SceneQuestion:
    return SceneQuestion(
        "relation",
        text,
        pair.relation.direction,
        "direction",
        pair.about,
        _ONE_RELATION,
        f"{pair.subject.the} is {{answer}} {pair.anchor.the}",
        choices=choices,
    )


def _what(scene: Scene, relation: Relation, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    anchor = refer(scene, relation.anchor, rng)
    answer = name_of_answer(scene, relation.subject)
    if anchor is None or answer is None:
        return
    claim = f"{preposition(scene, relation)} {anchor.the}"
    yield SceneQuestion(
        "relation",
        pick(rng, (f"What is {claim}?", f"Which object is {claim}?")),
        answer,
        "object",
        (relation.subject, relation.anchor),
        _ONE_RELATION,
        f"{{answer}} is {claim}",
    )


def _in_full(direction: Direction) -> str:
    return _IN_FULL.get(direction, PREPOSITIONS[direction])


def _false_direction(scene: Scene, relation: Relation, rng: np.random.Generator) -> Direction:
    """A direction in which the subject is beyond doubt not; the opposite always is one."""
    subject, anchor = scene.objects[relation.subject], scene.objects[relation.anchor]
    return pick(rng, [side for side in DIRECTIONS if excludes(subject, anchor, side)])
