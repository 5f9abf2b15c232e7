"""Scene graphs: what a model writes is in an image, read, drawn and told."""

from headwise.graphs.drawing import check_drawing_name, draw_scene_graph
from headwise.graphs.reading import GraphReading, GraphStatus, count_statuses, read_scene_graph
from headwise.graphs.scene_graph import Box, GraphObject, GraphRelation, Point, SceneGraph

__all__ = [
    "Box",
    "GraphObject",
    "GraphReading",
    "GraphRelation",
    "GraphStatus",
    "Point",
    "SceneGraph",
    "check_drawing_name",
    "count_statuses",
    "draw_scene_graph",
    "read_scene_graph",
]
