"""Draws a scene graph into a file: over its image, or as objects with arrows between them."""

from __future__ import annotations

from pathlib import Path

from headwise.content import Image
from headwise.errors import InputError
from headwise.graphs.layout import lay_out
from headwise.graphs.scene_graph import SceneGraph

DRAWN_ENDINGS = (".png", ".svg")


def check_drawing_name(path: Path) -> None:
    """Checks that a file can be drawn into, before the work is done.

    Raises:
        InputError: Its name ends in neither `.png` nor `.svg`.
    """
    if path.suffix.lower() not in DRAWN_ENDINGS:
        raise InputError(f"A graph is drawn as .png or .svg; got {path}. Name a file so.")


def draw_scene_graph(graph: SceneGraph, path: Path, image: Image | None = None) -> None:
    """Draws a graph into a PNG or SVG file.

    Args:
        graph: The graph.
        path: The file; its ending says the format. A file that is there is replaced.
        image: What the graph is of: objects with a box or a position are drawn over it.

    Raises:
        InputError: The ending is another, or the image cannot be read.
        MissingExtraError: Pillow is not installed; an SVG without an image needs none.
        OSError: The file cannot be written.
    """
    from headwise.graphs.raster import as_pixels
    from headwise.graphs.svg import as_svg

    check_drawing_name(path)
    sheet = lay_out(graph, image)
    if path.suffix.lower() == ".svg":
        path.write_text(as_svg(sheet), "utf-8")
    else:
        as_pixels(sheet).save(path, format="PNG")
