"""The shapes in which models write scene graphs, and what of each goes where.

Objects may be a list of names, a list of objects, or an object of objects or attribute lists by
name; attributes may stand with an object or apart, by name; relations may be lists of three,
objects of three, or sentences of the objects' names. Under several names of each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headwise.graphs.object_shapes import NAMES, Draft, draft_of, text_of
from headwise.graphs.scene_graph import GraphRelation, SceneGraph

_OBJECTS = ("objects", "nodes", "entities", "object", "things")
_RELATIONS = ("relations", "relationships", "edges", "relation", "relationship", "triples")
_ATTRIBUTES = ("attributes", "attribute", "properties")
_WRAPPERS = ("scene_graph", "scenegraph", "scene graph", "graph", "scene")
_SUBJECTS = ("subject", "source", "from", "subj", "subject_id", "object1", "head")
_PREDICATES = ("predicate", "relation", "relationship", "type", "label", "name", "rel")
_ENDS = ("object", "target", "to", "obj", "object_id", "object2", "tail")
_SPLIT = re.compile(r"\s*(?:--?>|->|,|\|)\s*|\s*--\s*")
_MOST_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Shaped:
    """A graph made of a JSON value.

    Args:
        graph: The graph.
        n_dropped: Parts of the value that fitted nowhere.
    """

    graph: SceneGraph
    n_dropped: int


def graph_of(value: object, *, is_cut: bool = False) -> Shaped | None:
    """The graph that a JSON value describes.

    Args:
        value: What JSON can hold.
        is_cut: Whether it was cut off at its end: then the last relation is left out if it names an
            object that is not there, which is likely half a name.

    Returns:
        The graph; None where the value is nothing like one.
    """
    for _ in range(_MOST_DEPTH):
        if not isinstance(value, Mapping) or _first(value, _OBJECTS) is not None:
            break
        value = _first(value, _WRAPPERS) or value
    if isinstance(value, list):
        if not _is_list_of_objects(value):
            return None
        value = {"objects": value}
    if not isinstance(value, Mapping):
        return None
    objects, relations = _first(value, _OBJECTS), _first(value, _RELATIONS)
    if objects is None and relations is None:
        return None
    builder = _Builder(is_cut)
    builder.add_objects(objects)
    builder.add_attributes(_first(value, _ATTRIBUTES))
    builder.add_relations(relations)
    return builder.finished()


@dataclass
class _Builder:
    """Collects objects and relations; a relation's end that is no object becomes one."""

    is_cut: bool = False
    drafts: dict[str, Draft] = field(default_factory=dict)
    by_name: dict[str, str] = field(default_factory=dict)
    relations: list[GraphRelation] = field(default_factory=list)
    n_dropped: int = 0

    def add_objects(self, objects: object) -> None:
        if isinstance(objects, Mapping):
            for name, details in objects.items():
                self._add(draft_of(details, text_of(name)))
        elif isinstance(objects, list):
            for item in objects:
                self._add(draft_of(item, ""))
        elif objects is not None:
            self.n_dropped += 1

    def add_attributes(self, attributes: object) -> None:
        """Attributes that stand apart from the objects: by name, or as lists of two."""
        if isinstance(attributes, Mapping):
            for name, details in attributes.items():
                self._describe(text_of(name), details)
        elif isinstance(attributes, list):
            for item in attributes:
                if isinstance(item, list) and len(item) >= 2:
                    self._describe(text_of(item[0]), item[1:])
                elif isinstance(item, Mapping) and (whose := _first(item, _ATTRIBUTE_OF)):
                    rest = {k: v for k, v in item.items() if str(k).lower() not in _ATTRIBUTE_OF}
                    self._describe(text_of(whose), rest)
                else:
                    self.n_dropped += 1
        elif attributes is not None:
            self.n_dropped += 1

    def add_relations(self, relations: object) -> None:
        if isinstance(relations, Mapping):
            relations = _relations_by_name(relations)
        if not isinstance(relations, list):
            self.n_dropped += relations is not None
            return
        for number, item in enumerate(relations):
            ends = self._ends_of(item)
            is_last = number == len(relations) - 1
            if ends is None or (self.is_cut and is_last and not self._are_known(ends)):
                self.n_dropped += 1
                continue
            self.relations.append(
                GraphRelation(self._id_of(ends[0]), ends[1], self._id_of(ends[2]))
            )

    def finished(self) -> Shaped:
        objects = tuple(draft.finished() for draft in self.drafts.values())
        self.n_dropped += sum(draft.n_dropped for draft in self.drafts.values())
        return Shaped(SceneGraph(objects, tuple(self.relations)), self.n_dropped)

    def _add(self, draft: Draft | None) -> None:
        if draft is None:
            self.n_dropped += 1
            return
        wanted = draft.id or draft.name or _letter(len(self.drafts))
        chosen, number = wanted, 2
        while chosen in self.drafts:
            chosen, number = f"{wanted} {number}", number + 1
        # Two objects with one id of their own: which one a relation means cannot be known.
        self.n_dropped += draft.id != "" and chosen != wanted
        draft.id = chosen
        self.drafts[chosen] = draft
        if draft.noun:
            self.by_name.setdefault(_folded(draft.noun), chosen)

    def _describe(self, name: str, details: object) -> None:
        if self._is_name(name):
            self.drafts[self._id_of(name)].describe(details)
        else:
            self.n_dropped += 1

    def _are_known(self, ends: tuple[str, str, str]) -> bool:
        names = (ends[0], ends[2])
        return not self.drafts or all(
            name in self.drafts or _folded(name) in self.by_name for name in names
        )

    def _is_name(self, name: str) -> bool:
        return name in self.drafts or bool(name.strip())

    def _id_of(self, name: str) -> str:
        """The id of the object that is called so, which is made where there is none."""
        if name in self.drafts:
            return name
        known = self.by_name.get(_folded(name))
        if known is None:
            self._add(Draft(name=name.strip()))
            known = self.by_name[_folded(name)]
        return known

    def _ends_of(self, item: object) -> tuple[str, str, str] | None:
        if isinstance(item, Mapping):
            parts = [_first(item, names) for names in (_SUBJECTS, _PREDICATES, _ENDS)]
        elif isinstance(item, list) and len(item) == 3:
            parts = list(item)
        elif isinstance(item, str):
            return self._read_sentence(item)
        else:
            return None
        subject, predicate, other = (text_of(_named(part)) for part in parts)
        is_whole = bool(predicate) or isinstance(item, list)
        if not is_whole or not self._is_name(subject) or not self._is_name(other):
            return None
        return subject, predicate, other

    def _read_sentence(self, text: str) -> tuple[str, str, str] | None:
        """`"dog -> left of -> cat"`, or a sentence that begins and ends with known objects."""
        parts = [part for part in _SPLIT.split(text.strip(" ()[]")) if part]
        if len(parts) == 3:
            return parts[0], parts[1], parts[2]
        lowered = _folded(text.strip(" ."))
        known = {**self.by_name, **{_folded(name): name for name in self.drafts}}
        names = sorted(known, key=len, reverse=True)
        for name in (name for name in names if name and lowered.startswith(f"{name} ")):
            for other in (name for name in names if name and lowered.endswith(f" {name}")):
                middle = lowered[len(name) : len(lowered) - len(other)].strip()
                if middle:
                    return known[name], middle, known[other]
        return None


_ATTRIBUTE_OF = ("object", "object_id", "subject", "of")


def _first(value: Mapping[Any, Any], names: Sequence[str]) -> Any:
    lowered = {str(key).strip().lower(): key for key in value}
    found = [value[lowered[name]] for name in names if name in lowered]
    return found[0] if found else None


def _named(part: object) -> object:
    """The name of an object that is written out where a relation should only name it."""
    if isinstance(part, Mapping):
        return _first(part, ("id", "name", "label"))
    return part


def _relations_by_name(relations: Mapping[Any, Any]) -> list[object]:
    """`{"dog": [["left of", "cat"]]}` or `{"dog": {"left of": "cat"}}` as lists of three."""
    if _first(relations, _SUBJECTS) is not None:
        return [relations]
    found: list[object] = []
    for name, links in relations.items():
        pairs = list(links.items()) if isinstance(links, Mapping) else links
        if not isinstance(pairs, list):
            found.append([name, "", pairs])
            continue
        for pair in pairs:
            many = pair[1] if isinstance(pair, tuple) and isinstance(pair[1], list) else None
            if many is not None:
                found += [[name, pair[0], other] for other in many]
            elif isinstance(pair, list | tuple) and len(pair) == 2:
                found.append([name, *pair])
            elif isinstance(pair, Mapping):
                found.append({"subject": name, **pair})
            else:
                found.append(pair)
    return found


def _is_list_of_objects(value: list[Any]) -> bool:
    return any(
        isinstance(item, Mapping) and _first(item, ("id", "name", "shape", *NAMES))
        for item in value
    )


def _folded(name: str) -> str:
    return name.strip().casefold()


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else f"object {number + 1}"
