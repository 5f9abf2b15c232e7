"""Drawn scene graphs: whole files, over the image where places are known, and never markup."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwise.content import Image, as_image
from headwise.errors import InputError, MissingExtraError
from headwise.graphs import GraphObject, GraphRelation, SceneGraph, draw_scene_graph
from headwise.graphs.layout import lay_out
from headwise.graphs.marks import Label, Outline
from headwise.graphs.svg import as_svg

pillow = pytest.importorskip("PIL.Image", reason="drawing needs Pillow")

GRAPH = SceneGraph(
    (
        GraphObject("a", "dog", box=(0.1, 0.1, 0.5, 0.5)),
        GraphObject("b", "cat", position=(0.8, 0.8)),
        GraphObject("c", "sky"),
    ),
    (GraphRelation("a", "chases", "b"), GraphRelation("b", "flees", "a")),
)


@pytest.fixture
def image() -> Image:
    return as_image(np.full((40, 80, 3), 200, np.uint8))


@pytest.mark.parametrize("with_image", [True, False])
def test_a_png_is_a_picture(tmp_path: Path, image: Image, with_image: bool) -> None:
    path = tmp_path / "graph.PNG"
    draw_scene_graph(GRAPH, path, image if with_image else None)
    with pillow.open(path) as drawn:
        assert drawn.format == "PNG"
        assert len(drawn.convert("RGB").getcolors(100_000)) > 3


@pytest.mark.parametrize("with_image", [True, False])
def test_an_svg_shows_every_name(tmp_path: Path, image: Image, with_image: bool) -> None:
    path = tmp_path / "graph.svg"
    draw_scene_graph(GRAPH, path, image if with_image else None)
    tree = ElementTree.parse(path)  # noqa: S314 - our own file.
    shown = {element.text for element in tree.iter() if element.tag.endswith("}text")}
    assert shown == {"dog", "cat", "sky", "chases", "flees"}
    pictures = [element for element in tree.iter() if element.tag.endswith("}image")]
    assert len(pictures) == with_image


@given(text=st.text(max_size=30) | st.just("</text><script>alert(1)</script>"))
def test_what_a_model_wrote_is_never_markup(text: str) -> None:
    things = (GraphObject("x", text), GraphObject("y", f"&{text}"))
    graph = SceneGraph(things, (GraphRelation("x", text, "y"),))
    tree = ElementTree.fromstring(as_svg(lay_out(graph)))  # noqa: S314
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert tags <= {"svg", "defs", "marker", "path", "rect", "line", "text"}


@pytest.mark.parametrize("box", [(0.25, 0.5, 0.5, 1.0), (20, 20, 40, 40), (250, 500, 500, 1000)])
def test_shares_pixels_and_thousandths_are_one_place(
    image: Image, box: tuple[float, float, float, float]
) -> None:
    sheet = lay_out(SceneGraph((GraphObject("a", box=box),)), image)
    assert sheet.image_size == (768, 384)
    [outline] = [mark for mark in sheet.marks if isinstance(mark, Outline)]
    assert (outline.left, outline.top, outline.right, outline.bottom) == (192, 192, 384, 384)


def test_objects_without_a_place_stand_beside_the_image(image: Image) -> None:
    sheet = lay_out(GRAPH, image)
    places = {mark.text: mark.x for mark in sheet.marks if isinstance(mark, Label)}
    assert places["dog"] < 768
    assert places["cat"] < 768
    assert 768 < places["sky"] < sheet.width


def test_an_empty_graph_and_one_of_many_objects_can_be_drawn(tmp_path: Path) -> None:
    many = SceneGraph(tuple(GraphObject(str(number)) for number in range(60)))
    for graph in (SceneGraph(), many):
        draw_scene_graph(graph, tmp_path / "graph.svg")
        draw_scene_graph(graph, tmp_path / "graph.png")


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.png or \.svg"):
        draw_scene_graph(GRAPH, tmp_path / "graph.jpg")


def test_pillow_is_asked_for_where_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIL", "PIL.Image"):
        monkeypatch.setitem(sys.modules, name, None)
    draw_scene_graph(GRAPH, tmp_path / "graph.svg")
    with pytest.raises(MissingExtraError, match=r"headwise\[vision\]"):
        draw_scene_graph(GRAPH, tmp_path / "graph.png")
