"""Questions that tempt to answer with what is written or usual instead of what is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from headwise.scenes.chance import coin
from headwise.scenes.description import Referent, refer
from headwise.scenes.kinds.attribute import statement, values_in, wording
from headwise.scenes.kinds.claim import spoken
from headwise.scenes.question import Needs, SceneQuestion, yes_no
from headwise.scenes.scene import Scene
from headwise.scenes.vocabulary import COLOR_LABELS, SHAPE_LABELS, USUAL_COLORS, Attribute


@dataclass(frozen=True, slots=True)
class Conflict:
    """An object that is not what something suggests.

    Args:
        number: The object's number.
        attribute: What it is about.
        suggested: The value that is written under the object, or usual for its shape.
        is_written: Whether it is written.
    """

    number: int
    attribute: Attribute
    suggested: str
    is_written: bool


def conflicts(scene: Scene) -> tuple[Conflict, ...]:
    """The conflicts of a scene.

    Args:
        scene: The scene.

    Returns:
        For each object what its label, or else the colour usual for its shape, says wrongly.
    """
    found = []
    for number, thing in enumerate(scene.objects):
        label = thing.label or ""
        is_written = label in COLOR_LABELS
        color = COLOR_LABELS[label] if is_written else USUAL_COLORS.get(thing.shape, thing.color)
        if color != thing.color:
            found.append(Conflict(number, "color", color, is_written))
        shape = SHAPE_LABELS.get(label, thing.shape)
        if shape != thing.shape:
            found.append(Conflict(number, "shape", shape, is_written=True))
    return tuple(found)


def ask(scene: Scene, rng: np.random.Generator) -> Iterator[SceneQuestion]:
    """An open question for each conflict, and a yes/no question for what is written.

    "Is the heart red?" would always be answered No here, so what is usual is not asked that way.

    Args:
        scene: The scene.
        rng: Where chance comes from.

    Yields:
        The questions.
    """
    for conflict in conflicts(scene):
        for ask_about in (_open, _closed) if conflict.is_written else (_open,):
            referent = refer(scene, conflict.number, rng, hidden={conflict.attribute})
            if referent is not None:
                yield ask_about(scene, conflict, referent, rng)


def _open(
    scene: Scene, conflict: Conflict, referent: Referent, rng: np.random.Generator
) -> SceneQuestion:
    return SceneQuestion(
        "conflict",
        wording(conflict.attribute, referent.the, rng),
        values_in(scene, conflict.attribute)[conflict.number],
        conflict.attribute,
        (conflict.number,),
        Needs(objects=1),
        statement(conflict.attribute, referent.the),
        tempting=conflict.suggested,
    )


def _closed(
    scene: Scene, conflict: Conflict, referent: Referent, rng: np.random.Generator
) -> SceneQuestion:
    holds = coin(rng)
    own = values_in(scene, conflict.attribute)[conflict.number]
    words = spoken(conflict.attribute, own if holds else conflict.suggested)
    return yes_no(
        "conflict",
        f"Is {referent.the} {words}?",
        holds,
        (conflict.number,),
        Needs(objects=1),
        f"{referent.the} is {words}",
        f"{referent.the} is not {words}",
        tempts=True,
    )
