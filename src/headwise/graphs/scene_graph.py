"""`SceneGraph`: what is in an image and how it is related, as a model wrote it."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass

from headwise.errors import InputError

Box = tuple[float, float, float, float]
"""`(left, top, right, bottom)`, in whatever unit the model wrote."""

Point = tuple[float, float]
"""`(x, y)`, from the left and from the top, in whatever unit the model wrote."""

OWN_KEYS = frozenset({"id", "name", "attributes", "box", "position"})
"""What an object's JSON calls its own fields; no property has such a name."""


_NOUNS = ("shape", "object", "category", "class", "type", "label")


@dataclass(frozen=True, slots=True)
class GraphObject:
    """One thing in an image.

    Args:
        id: What relations call it.
        name: What it is, such as `"dog"`; may be empty where its properties say it.
        properties: Names and values, such as `("color", "red")`; each name once.
        attributes: Words for what it is like that say no property's name, such as `"shiny"`.
        box: Where it is, where that is known.
        position: Where its middle is, where that is known.

    Raises:
        InputError: The id is empty, a property's name is empty, there twice or one of `OWN_KEYS`,
            or a coordinate is no finite number.
    """

    id: str
    name: str = ""
    properties: tuple[tuple[str, str], ...] = ()
    attributes: tuple[str, ...] = ()
    box: Box | None = None
    position: Point | None = None

    def __post_init__(self) -> None:
        if not self.id:
            raise InputError(f"An object of a scene graph needs an id; got {self!r}.")
        names = Counter(name for name, _ in self.properties)
        wrong = [
            name
            for name, times in names.items()
            if not name or times > 1 or name.strip().lower() in OWN_KEYS
        ]
        if wrong:
            raise InputError(
                f"The object {self.id!r} has the property {wrong[0]!r}, which is empty, there "
                f"twice, or one of {sorted(OWN_KEYS)}."
            )
        if "" in self.attributes:
            raise InputError(f"The object {self.id!r} has an empty attribute; leave it out.")
        for name, numbers, count in (("box", self.box, 4), ("position", self.position, 2)):
            if numbers is not None and not _are_finite(numbers, count):
                raise InputError(
                    f"The {name} of the object {self.id!r} is {count} finite numbers; got "
                    f"{numbers!r}."
                )

    @property
    def label(self) -> str:
        """A few words that say what it is, such as `"large red circle"`.

        Its name after its attributes; where it has none, its shape; where nothing, its id.
        """
        known = dict(self.properties)
        noun = self.name
        for name in _NOUNS:
            noun = noun or known.pop(name, "")
        # "Large red", not "red large".
        first = [known.pop(name) for name in ("size", "texture", "color") if name in known]
        return " ".join([*first, *known.values(), *self.attributes, noun or self.id])

    def to_json(self) -> dict[str, object]:
        """The object as JSON can hold it; what it has not is left out."""
        values: dict[str, object] = {"id": self.id}
        if self.name:
            values["name"] = self.name
        values.update(self.properties)
        if self.attributes:
            values["attributes"] = list(self.attributes)
        if self.box is not None:
            values["box"] = list(self.box)
        if self.position is not None:
            values["position"] = list(self.position)
        return values


@dataclass(frozen=True, slots=True)
class GraphRelation:
    """How one object of a scene graph is related to another.

    Args:
        subject: The id of the object that is so.
        predicate: The relation, such as `"left of"` or `"holds"`.
        object: The id of the other.
    """

    subject: str
    predicate: str
    object: str


@dataclass(frozen=True, slots=True)
class SceneGraph:
    """The objects of an image, what they are like, and how they are related.

    Args:
        objects: The objects, each with an id of its own.
        relations: The relations, each between two of them.

    Raises:
        InputError: Two objects have one id, or a relation names an object that is not there.
    """

    objects: tuple[GraphObject, ...] = ()
    relations: tuple[GraphRelation, ...] = ()

    def __post_init__(self) -> None:
        ids = Counter(thing.id for thing in self.objects)
        twice = [name for name, times in ids.items() if times > 1]
        if twice:
            raise InputError(f"Two objects of a scene graph have the id {twice[0]!r}.")
        for relation in self.relations:
            for end in (relation.subject, relation.object):
                if end not in ids:
                    raise InputError(f"{relation} names {end!r}, which is no object of the graph.")

    def to_json(self) -> str:
        """The graph as compact JSON, in the form of `headwise.scenes.graph_json`.

        `{"objects":[{"id":"a","name":"dog","color":"brown"},...],
        "relations":[["a","left of","b"],...]}`

        Returns:
            The JSON, without spaces between its parts; `read_scene_graph` gives the graph back.
        """
        return json.dumps(self.to_value(), separators=(",", ":"), ensure_ascii=False)

    def to_value(self) -> dict[str, object]:
        """The graph as lists and dicts that JSON can hold; see `to_json`."""
        return {
            "objects": [thing.to_json() for thing in self.objects],
            "relations": [[link.subject, link.predicate, link.object] for link in self.relations],
        }

    def described(self) -> str:
        """The graph in words for a person, one object or relation a line."""
        labels = {thing.id: thing.label for thing in self.objects}
        lines = [f"{name}: {label}" if name != label else name for name, label in labels.items()]
        lines += [
            f"{labels[link.subject]} --{link.predicate}--> {labels[link.object]}"
            for link in self.relations
        ]
        return "\n".join(lines)


def _are_finite(numbers: tuple[float, ...], count: int) -> bool:
    return len(numbers) == count and all(math.isfinite(n) and abs(n) < 1e9 for n in numbers)
