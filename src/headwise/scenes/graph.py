"""A scene as a graph in JSON, short enough for a small model to write."""

from __future__ import annotations

import json

from headwise.scenes.relations import linking_relations, reading_order
from headwise.scenes.scene import Scene, SceneObject
from headwise.scenes.vocabulary import PREPOSITIONS

_IDS = "abcdefgh"


def graph_json(scene: Scene) -> str:
    """The scene graph as compact JSON.

    `{"objects":[{"id":"a","shape":"circle","color":"red","size":"large"},...],
    "relations":[["a","left of","b"],...]}`

    There is one way to write a scene, so that a model learns what to write next and not which of
    many ways was taken. Objects come in reading order (top to bottom, left to right, by thirds of
    the image), named `a`, `b`, ... A texture is there unless it is solid, a label where there is
    one: what is usual costs no tokens.

    Of all relations only those are there that link each object to the nearest one before it: one
    less than there are objects at most, instead of a number that grows with its square, and most
    others follow from them. They are told with "left of" and "above" alone, as "right of" and
    "below" would say the same from the other side. Pairs that lie diagonally have none.

    Four solid objects without labels take about 102 tokens of SmolLM2, four of mixed textures 114.

    Args:
        scene: The scene.

    Returns:
        The JSON, without spaces between its parts.
    """
    order = reading_order(scene)
    ids = {number: _IDS[place] for place, number in enumerate(order)}
    graph = {
        "objects": [_node(ids[number], scene.objects[number]) for number in order],
        "relations": [
            [ids[link.subject], PREPOSITIONS[link.direction], ids[link.anchor]]
            for link in linking_relations(scene)
        ],
    }
    return json.dumps(graph, separators=(",", ":"))


def _node(name: str, thing: SceneObject) -> dict[str, str]:
    node = {"id": name, "shape": thing.shape, "color": thing.color, "size": thing.size}
    if thing.texture != "solid":
        node["texture"] = thing.texture
    if thing.label is not None:
        node["label"] = thing.label
    return node
