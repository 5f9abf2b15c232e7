"""Reads the scene graph out of what a model wrote, whatever shape and state it is in."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from headwise.graphs.scene_graph import SceneGraph
from headwise.graphs.shapes import graph_of

_MOST_CHARACTERS = 50_000
_FENCE = re.compile(r"```[a-zA-Z0-9_-]*\s*\n?(.*?)(?:```|\Z)", re.DOTALL)
# Not every bracket in chatter begins a list.
_FIRST_BRACKET = re.compile(r"\[(?=\s*[\[{\"'\]])|\{(?=\s*[\"'}\w])")


class GraphStatus(Enum):
    """What became of what a model wrote for a scene graph."""

    PARSED = "parsed"
    """It held valid JSON, and all of that was understood."""
    REPAIRED = "repaired"
    """The JSON was broken or cut off, or parts of it were no objects, relations or attributes."""
    TEXT = "text"
    """It held no graph, so it is used as the text it is."""


@dataclass(frozen=True, slots=True)
class GraphReading:
    """What a model wrote for a scene graph, read.

    Args:
        status: What became of it.
        graph: The graph; None where the status is `TEXT`.
        written: What the model wrote.
        n_dropped: Parts that fit nowhere in a graph and were left out.
    """

    status: GraphStatus
    graph: SceneGraph | None
    written: str
    n_dropped: int = 0

    @property
    def text(self) -> str:
        """What a prompt shows of it: the graph as JSON, or the text where there is none."""
        return self.written.strip() if self.graph is None else self.graph.to_json()


def read_scene_graph(text: str) -> GraphReading:
    """Reads the scene graph out of what a model wrote.

    It may stand in fences or between other text; have single quotes, trailing commas or comments;
    be cut off in the middle; and be of many shapes, see `headwise.graphs.shapes`. Broken JSON is
    mended by `json_repair`. Nothing that a model writes is an error.

    Args:
        text: What it wrote. Of more than 50 000 characters the rest is not looked at.

    Returns:
        The graph and what became of the text.
    """
    for broken in (False, True):
        for value in _repaired(text) if broken else _valid(text):
            shaped = graph_of(value, is_cut=broken and _is_cut(text))
            if shaped is None:
                continue
            if shaped.graph.objects or not (broken or shaped.n_dropped):
                mended = broken or shaped.n_dropped > 0
                status = GraphStatus.REPAIRED if mended else GraphStatus.PARSED
                return GraphReading(status, shaped.graph, text, shaped.n_dropped)
    return GraphReading(GraphStatus.TEXT, None, text)


def count_statuses(readings: Iterable[GraphReading]) -> dict[str, int]:
    """How often each status occurs.

    Args:
        readings: What was read.

    Returns:
        Counts by `"parsed"`, `"repaired"` and `"text"`, each there even if 0.
    """
    counts = Counter(reading.status for reading in readings)
    return {status.value: counts[status] for status in GraphStatus}


def _valid(text: str) -> Iterator[Any]:
    """Every JSON object or list that is whole, the likeliest to be the graph first."""
    decoder = json.JSONDecoder(parse_constant=_no_number)
    for candidate in _candidates(text):
        at = _FIRST_BRACKET.search(candidate)
        while at is not None:
            try:
                value, end = decoder.raw_decode(candidate, at.start())
            except (ValueError, RecursionError):
                # What follows is a part of a broken whole, which is worth more than its parts.
                break
            yield value
            at = _FIRST_BRACKET.search(candidate, end)


def _repaired(text: str) -> Iterator[Any]:
    from json_repair import repair_json

    for candidate in _candidates(text):
        at = _FIRST_BRACKET.search(candidate)
        if at is None:
            continue
        try:
            value = repair_json(candidate[at.start() :], return_objects=True, skip_json_loads=True)
        except Exception:  # noqa: S112 - whatever a model writes is no error; its text is used.
            continue
        yield value
        if isinstance(value, list):
            # Several JSON texts one after the other, or a list with chatter after it.
            yield from (item for item in value if isinstance(item, dict))


def _is_cut(text: str) -> bool:
    return sum(map(text.count, "[{")) > sum(map(text.count, "]}"))


def _candidates(text: str) -> list[str]:
    shown = text[:_MOST_CHARACTERS]
    fenced = [match[1] for match in _FENCE.finditer(shown) if _FIRST_BRACKET.search(match[1])]
    return [*fenced, shown]


def _no_number(name: str) -> str:
    return name
