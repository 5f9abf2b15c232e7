"""The shapes in which models write one object of a scene graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headwise.graphs.scene_graph import OWN_KEYS, Box, GraphObject, Point

NAMES = ("object", "category", "class", "type", "label", "title")
"""Keys that say what an object is where it has neither `name` nor `id`, the surest first."""

_BOXES = ("bbox", "bounding_box", "boundingbox", "box_2d", "bbox_2d", "bndbox")
_POINTS = ("center", "centre", "point", "point_2d", "location", "coordinates")
_CORNERS = (
    ("left", "top", "right", "bottom"),
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
)
_SIDES = (("x", "y", "width", "height"), ("x", "y", "w", "h"))
_MOST = 1e9


@dataclass
class Draft:
    """An object that is being read; see `GraphObject`."""

    id: str = ""
    name: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    attributes: list[str] = field(default_factory=list)
    box: Box | None = None
    position: Point | None = None
    n_dropped: int = 0

    @property
    def noun(self) -> str:
        """What relations may call it beside its id."""
        said = [self.properties.get(key, "") for key in ("shape", *NAMES)]
        return next((word for word in (self.name, *said) if word), "")

    def describe(self, details: object) -> None:
        """Adds what is said of the object: words, lists of words, or values by name."""
        if isinstance(details, Mapping):
            for key, value in details.items():
                self._add(text_of(key), value)
        elif isinstance(details, list):
            for item in details:
                if isinstance(item, Mapping):
                    self.describe(item)
                else:
                    self._add_word(item)
        else:
            self._add_word(details)

    def finished(self) -> GraphObject:
        """The object."""
        return GraphObject(
            self.id,
            self.name,
            tuple(self.properties.items()),
            tuple(self.attributes),
            self.box,
            self.position,
        )

    def _add(self, key: str, value: object) -> None:
        known = key.strip().lower()
        if value is None:
            return
        if known == "id":
            self.id = self.id or text_of(value)
        elif known == "name":
            self.name = self.name or text_of(value)
        elif known == "attributes":
            self.describe(value)
        elif isinstance(value, Mapping | list) and known in ("box", *_BOXES):
            self.box = self.box or self._counted(box_of(value))
        elif isinstance(value, Mapping | list) and known in ("position", *_POINTS):
            self.position = self.position or self._counted(point_of(value))
        elif not key or known in OWN_KEYS:
            # A place in words, such as "position": "left".
            self._add_word(value)
        else:
            self._add_property(key, value)

    def _add_property(self, key: str, value: object) -> None:
        words = words_of(value)
        if words is None:
            self.n_dropped += 1
        elif self.properties.setdefault(key, words) != words:
            self._add_word(words)

    def _add_word(self, value: object) -> None:
        words = words_of(value)
        if words:
            self.attributes.append(words)
        elif value not in (None, "", []):
            self.n_dropped += 1

    def _counted(self, place: Any) -> Any:
        self.n_dropped += place is None
        return place


def draft_of(item: object, name: str) -> Draft | None:
    """An object in any of its shapes.

    Args:
        item: A name, a list of a name and attributes, or values by name; where `name` is given,
            what is said of it.
        name: What it is called; empty where the item says it.

    Returns:
        The object; None where the item is nothing like one.
    """
    draft = Draft(name=name)
    if name or (isinstance(item, Mapping) and item):
        draft.describe(item)
        if not (draft.id or draft.name):
            draft.name = next((draft.properties.pop(n) for n in NAMES if n in draft.properties), "")
        return draft
    if isinstance(item, list) and item:
        draft.name = text_of(item[0])
        draft.describe(item[1:])
    elif isinstance(item, str):
        draft.name = item
    return draft if draft.name.strip() else None


def text_of(value: object) -> str:
    """A single value as text; empty where it is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON can escape half a character, which no file can hold.
        return value.encode("utf-8", "replace").decode("utf-8")
    return str(value) if isinstance(value, int | float) else ""


def words_of(value: object) -> str | None:
    """A value or a list of values as text; None where it is neither."""
    if isinstance(value, list):
        items = [text_of(item) for item in value]
        return ", ".join(items) if all(items) else None
    if isinstance(value, str | int | float):
        return text_of(value)
    return None


def box_of(value: object) -> Box | None:
    """A box as `(left, top, right, bottom)`; None where it is none."""
    if isinstance(value, Mapping):
        lowered = {str(key).lower(): item for key, item in value.items()}
        for names in _CORNERS:
            if all(name in lowered for name in names):
                return box_of([lowered[name] for name in names])
        for names in _SIDES:
            if all(name in lowered for name in names):
                numbers = _numbers([lowered[name] for name in names], 4)
                if numbers is not None:
                    x, y, width, height = numbers
                    return x, y, x + width, y + height
        return None
    numbers = _numbers(value, 4)
    return None if numbers is None else (numbers[0], numbers[1], numbers[2], numbers[3])


def point_of(value: object) -> Point | None:
    """A point as `(x, y)`; None where it is none."""
    if isinstance(value, Mapping):
        lowered = {str(key).lower(): item for key, item in value.items()}
        value = [lowered.get("x"), lowered.get("y")]
    numbers = _numbers(value, 2)
    return None if numbers is None else (numbers[0], numbers[1])


def _numbers(value: object, count: int) -> list[float] | None:
    if not isinstance(value, list) or len(value) != count:
        return None
    found = []
    for item in value:
        if isinstance(item, bool) or not isinstance(item, int | float | str):
            return None
        try:
            number = float(item)
        except (ValueError, OverflowError):
            return None
        if not -_MOST < number < _MOST:
            return None
        found.append(number)
    return found
