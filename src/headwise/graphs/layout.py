"""Where the objects of a scene graph are drawn: in their image, or on a ring."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from headwise.content import Image
from headwise.graphs.marks import LINE_HEIGHT, Arrow, Label, Outline, Sheet, one_line
from headwise.graphs.scene_graph import GraphObject, Point, SceneGraph

# Colours that can be told apart by most people (Okabe and Ito), on white.
_COLORS = ("#0072b2", "#d55e00", "#007f5f", "#a8447f", "#8a6d00", "#3b6fb6", "#7a4a00", "#444444")
_LINK_COLOR, _WHITE = "#333333", "#ffffff"
_MOST_SIDE = 768
_LEAST_RADIUS, _RADIUS_EACH = 140, 16
_LABEL_AT = 0.42


@dataclass(frozen=True, slots=True)
class _Place:
    x: float
    y: float
    outline: tuple[float, float, float, float] | None = None


def lay_out(graph: SceneGraph, image: Image | None = None) -> Sheet:
    """Places a graph.

    Objects with a box or position are drawn over the image, if it is given; all others stand on a
    ring beside it. Coordinates are read as shares of the image where none is above 1, as pixels
    where all lie in the image, and else as thousandths of it, as some models write them.

    Args:
        graph: The graph.
        image: What it is of.

    Returns:
        The drawing.

    Raises:
        InputError: The image cannot be read.
        MissingExtraError: There is an image, and Pillow is not installed.
    """
    shown, full = _shown_size(image)
    units = _unit_of(graph, full)
    in_image = {} if image is None else _places_in_image(graph, shown, units)
    labels = {thing.id: Label(0, 0, one_line(thing.label), "", _WHITE) for thing in graph.objects}
    ringed = [thing for thing in graph.objects if thing.id not in in_image]
    widest = max((labels[thing.id].width for thing in ringed), default=0)
    radius = max(_LEAST_RADIUS, _RADIUS_EACH * len(ringed))
    beside = round(2 * radius + widest + LINE_HEIGHT) if ringed or image is None else 0
    height = max(shown[1], 2 * radius + 2 * LINE_HEIGHT if beside else 0)
    places = {**in_image, **_ring(ringed, (shown[0] + beside / 2, height / 2), radius)}
    width = shown[0] + beside
    outlines, names = [], []
    for number, thing in enumerate(graph.objects):
        place, color = places[thing.id], _COLORS[number % len(_COLORS)]
        if place.outline is not None:
            outlines.append(Outline(*place.outline, color))
        names.append(_kept_on(width, replace(labels[thing.id], x=place.x, y=place.y, color=color)))
    ends = dict(zip(labels, names, strict=True))
    arrows, predicates = _links(graph, ends)
    marks: tuple[Arrow | Outline | Label, ...] = (*outlines, *arrows, *names, *predicates)
    return Sheet(width, height, marks, image, shown)


def _shown_size(image: Image | None) -> tuple[tuple[int, int], tuple[int, int]]:
    if image is None:
        return (0, 0), (0, 0)
    width, height = image.load().size
    # Small pictures are shown larger, so that their labels have room.
    scale = _MOST_SIDE / max(width, height)
    return (max(1, round(width * scale)), max(1, round(height * scale))), (width, height)


def _unit_of(graph: SceneGraph, size: tuple[int, int]) -> Point:
    """By what coordinates are divided to be shares of the image."""
    spots = [spot for thing in graph.objects for spot in _spots(thing)]
    if not spots or max(max(spot) for spot in spots) <= 1:
        return 1.0, 1.0
    if all(x <= size[0] and y <= size[1] for x, y in spots):
        return float(size[0]), float(size[1])
    return 1000.0, 1000.0


def _spots(thing: GraphObject) -> list[Point]:
    spots = [] if thing.position is None else [thing.position]
    return spots if thing.box is None else [*spots, thing.box[:2], thing.box[2:]]


def _places_in_image(graph: SceneGraph, size: tuple[int, int], unit: Point) -> dict[str, _Place]:
    def across(value: float) -> float:
        return min(max(value / unit[0], 0.0), 1.0) * size[0]

    def down(value: float) -> float:
        return min(max(value / unit[1], 0.0), 1.0) * size[1]

    found = {}
    for thing in graph.objects:
        if thing.box is not None:
            left, right = sorted((across(thing.box[0]), across(thing.box[2])))
            top, bottom = sorted((down(thing.box[1]), down(thing.box[3])))
            middle = (left + right) / 2, (top + bottom) / 2
            found[thing.id] = _Place(*middle, (left, top, right, bottom))
        elif thing.position is not None:
            found[thing.id] = _Place(across(thing.position[0]), down(thing.position[1]))
    return found


def _ring(things: list[GraphObject], middle: Point, radius: float) -> dict[str, _Place]:
    if len(things) == 1:
        return {things[0].id: _Place(*middle)}
    found = {}
    for number, thing in enumerate(things):
        # Turned a little, so that no two wide labels stand side by side at one height.
        angle = 2 * math.pi * number / len(things) - math.pi / 2 + 0.3
        found[thing.id] = _Place(
            middle[0] + radius * math.cos(angle), middle[1] + radius * math.sin(angle)
        )
    return found


def _kept_on(width: int, label: Label) -> Label:
    """A label moved so that all of it is on the sheet, if that is wide enough."""
    half = label.width / 2
    return replace(label, x=max(half, min(label.x, width - half)))


def _links(graph: SceneGraph, ends: Mapping[str, Label]) -> tuple[list[Arrow], list[Label]]:
    said: dict[tuple[str, str], list[str]] = {}
    for link in graph.relations:
        if link.subject != link.object:
            said.setdefault((link.subject, link.object), []).append(link.predicate)
    arrows, labels = [], []
    for (subject, other), predicates in said.items():
        start, end = ends[subject], ends[other]
        arrows.append(Arrow(_edge(start, end), _edge(end, start), _LINK_COLOR))
        # Not in the middle, where the label of the way back would cover it.
        x = start.x + _LABEL_AT * (end.x - start.x)
        y = start.y + _LABEL_AT * (end.y - start.y)
        text = one_line(", ".join(dict.fromkeys(predicates)))
        if text:
            labels.append(Label(x, y, text, _LINK_COLOR, _WHITE))
    return arrows, labels


def _edge(label: Label, towards: Label) -> Point:
    """Where a line from the middle of a label to another leaves it."""
    across, down = towards.x - label.x, towards.y - label.y
    shares = [
        half / abs(way)
        for half, way in ((label.width / 2 + 2, across), (LINE_HEIGHT / 2 + 2, down))
        if way
    ]
    share = min([*shares, 0.5])
    return label.x + share * across, label.y + share * down
