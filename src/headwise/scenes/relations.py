"""Where objects lie from each other: only what nobody would doubt."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

from headwise.scenes.scene import Scene, SceneObject
from headwise.scenes.vocabulary import OPPOSITES, PREPOSITIONS, Direction

# Within about 32 degrees of the axis; and one box ends before the other begins.
_STEEPNESS = 1.6
_LEAST_GAP = 1 / 64
# What is straight above is not "left of" for being a little to the left: but this is in doubt.
_MOST_LEAN = 0.2
# What lies more aside than along is not "directly" left.
_MOST_DIAGONAL = 0.9
_TINY = 1e-9
_DOUBT = ((0.38, 0.44), (0.56, 0.62))


@dataclass(frozen=True, slots=True)
class Relation:
    """Where one object of a scene lies from another.

    Args:
        subject: The number of the object that lies there.
        direction: In which direction from the other.
        anchor: The number of the other.
    """

    subject: int
    direction: Direction
    anchor: int

    def reversed(self) -> Relation:
        """The same fact, told from the other object."""
        return Relation(self.anchor, OPPOSITES[self.direction], self.subject)


def direction_of(subject: SceneObject, anchor: SceneObject) -> Direction | None:
    """Where one object lies from another, if beyond doubt.

    Args:
        subject: The object that lies there.
        anchor: The object it is seen from.

    Returns:
        The direction; None where the objects lie rather diagonally, or overlap along the axis.
    """
    across, down = subject.x - anchor.x, subject.y - anchor.y
    if abs(across) >= _STEEPNESS * abs(down):
        gap = abs(across) - (subject.width + anchor.width) / 2
        direction: Direction = "left" if across < 0 else "right"
    elif abs(down) >= _STEEPNESS * abs(across):
        gap = abs(down) - (subject.height + anchor.height) / 2
        direction = "above" if down < 0 else "below"
    else:
        return None
    return direction if gap >= _LEAST_GAP else None


def excludes(subject: SceneObject, anchor: SceneObject, direction: Direction) -> bool:
    """Whether an object is beyond doubt not in a direction from another.

    Args:
        subject: The object.
        anchor: The object it is seen from.
        direction: The direction.

    Returns:
        True where it lies on the other side, or so straight in another direction that nobody would
        say it.
    """
    return _share_towards(subject, anchor, direction) <= _MOST_LEAN


def clear_relations(scene: Scene) -> tuple[Relation, ...]:
    """Every relation of two objects that is beyond doubt, told from both.

    Args:
        scene: The scene.

    Returns:
        The relations, subjects in the order of the scene's objects.
    """
    found = []
    for number, subject in enumerate(scene.objects):
        for other, anchor in enumerate(scene.objects):
            direction = direction_of(subject, anchor) if other != number else None
            if direction is not None:
                found.append(Relation(number, direction, other))
    return tuple(found)


def sole_relations(scene: Scene) -> tuple[Relation, ...]:
    """The relations whose subject can be asked for: nothing else lies directly in that direction.

    Args:
        scene: The scene.

    Returns:
        Those of `clear_relations` in whose direction from the anchor every other object lies on
        the other side, or rather in another direction.
    """
    return tuple(
        relation
        for relation in clear_relations(scene)
        if _others_lean_less(scene, relation, _MOST_DIAGONAL)
    )


def preposition(scene: Scene, relation: Relation) -> str:
    """How a relation reads in a question for its subject.

    Args:
        scene: The scene.
        relation: One of its `sole_relations`.

    Returns:
        Such as `"left of"`, or `"directly left of"` where something else is rather diagonal there.
    """
    plain = PREPOSITIONS[relation.direction]
    return plain if _others_lean_less(scene, relation, _MOST_LEAN) else f"directly {plain}"


def reading_order(scene: Scene) -> tuple[int, ...]:
    """The numbers of the objects from top to bottom and left to right, by thirds of the image.

    Args:
        scene: The scene.

    Returns:
        The numbers; within a ninth of the image the higher object is first.
    """

    def place(number: int) -> tuple[int, int, float, float]:
        thing = scene.objects[number]
        return int(3 * thing.y), int(3 * thing.x), thing.y, thing.x

    return tuple(sorted(range(len(scene.objects)), key=place))


def linking_relations(scene: Scene) -> tuple[Relation, ...]:
    """One relation for each object but the first in reading order: to the nearest one before it.

    Args:
        scene: The scene.

    Returns:
        At most one relation less than there are objects, each told as `"left"` or `"above"`; an
        object that lies diagonally from all before it has none.
    """
    order = reading_order(scene)
    found = []
    for place, number in enumerate(order):
        thing = scene.objects[number]
        before = sorted(order[:place], key=lambda other: _gap(thing, scene.objects[other]))
        for other in before:
            direction = direction_of(thing, scene.objects[other])
            if direction is not None:
                relation = Relation(number, direction, other)
                is_first = direction in ("left", "above")
                found.append(relation if is_first else relation.reversed())
                break
    return tuple(found)


def region_of(thing: SceneObject) -> str | None:
    """Where in the image an object is, if beyond doubt.

    Args:
        thing: The object.

    Returns:
        Words that follow a noun, such as `"at the top left"` or `"in the middle"`; None near the
        border between two regions.
    """
    column, row = _third(thing.x), _third(thing.y)
    if column is None or row is None:
        return None
    side, end = ("left", "", "right")[column], ("top", "", "bottom")[row]
    if side and end:
        return f"at the {end} {side}"
    if end:
        return f"at the {end}"
    return f"on the {side}" if side else "in the middle"


def _others_lean_less(scene: Scene, relation: Relation, most: float) -> bool:
    anchor = scene.objects[relation.anchor]
    return all(
        _share_towards(other, anchor, relation.direction) <= most
        for number, other in enumerate(scene.objects)
        if number not in (relation.subject, relation.anchor)
    )


def _share_towards(subject: SceneObject, anchor: SceneObject, direction: Direction) -> float:
    """How far an object lies in a direction, over how far aside; negative on the other side."""
    across, down = subject.x - anchor.x, subject.y - anchor.y
    along, aside = (across, down) if direction in ("left", "right") else (down, across)
    if direction in ("left", "above"):
        along = -along
    return along / max(abs(aside), _TINY)


def _gap(first: SceneObject, second: SceneObject) -> float:
    return hypot(first.x - second.x, first.y - second.y)


def _third(share: float) -> int | None:
    if any(least < share < most for least, most in _DOUBT):
        return None
    return 0 if share <= _DOUBT[0][0] else 1 if share <= _DOUBT[1][0] else 2
