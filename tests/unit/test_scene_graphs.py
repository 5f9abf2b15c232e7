"""Scene graphs: what is written is read again, and nothing that a model writes is an error."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwise.errors import InputError
from headwise.graphs import (
    GraphObject,
    GraphRelation,
    GraphStatus,
    SceneGraph,
    count_statuses,
    read_scene_graph,
)
from headwise.prompts.compositional import GRAPH_FORM
from headwise.scenes import SceneSampler, graph_json

WORDS = st.text(min_size=1, max_size=8)
NUMBERS = st.floats(-1e6, 1e6)
BOXES = st.none() | st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
POINTS = st.none() | st.tuples(NUMBERS, NUMBERS)
OWN = {"id", "name", "attributes", "box", "position"}
KEYS = WORDS.filter(lambda key: key.strip().lower() not in OWN)
PROPERTIES = st.dictionaries(KEYS, st.text(max_size=8), max_size=3).map(lambda d: tuple(d.items()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                (
                    *("objects", "id", "name", "relations", "relationships", "attributes"),
                    *("subject", "predicate", "object", "bbox", "position", "x", "label"),
                    "scene_graph",
                )
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@st.composite
def graphs(draw: st.DrawFn) -> SceneGraph:
    ids = draw(st.lists(WORDS, unique=True, max_size=4))
    objects = tuple(
        GraphObject(
            name,
            draw(st.text(max_size=6)),
            draw(PROPERTIES),
            tuple(draw(st.lists(WORDS, max_size=2))),
            draw(BOXES),
            draw(POINTS),
        )
        for name in ids
    )
    if not ids:
        return SceneGraph()
    ends = st.sampled_from(ids)
    links = draw(st.lists(st.builds(GraphRelation, ends, st.text(max_size=6), ends), max_size=3))
    return SceneGraph(objects, tuple(links))


@given(graph=graphs())
def test_reading_what_was_written_gives_it_back(graph: SceneGraph) -> None:
    reading = read_scene_graph(graph.to_json())
    assert reading.graph == graph
    assert reading.status is GraphStatus.PARSED
    assert reading.n_dropped == 0
    assert reading.text == graph.to_json()


@given(text=st.text(max_size=80))
def test_no_text_is_an_error(text: str) -> None:
    reading = read_scene_graph(text)
    assert (reading.graph is None) == (reading.status is GraphStatus.TEXT)


@given(text=st.text(alphabet="{}[]\"':,ab \\`\n1-e.nulltrueobjectsid", max_size=60))
def test_no_near_json_is_an_error(text: str) -> None:
    graph = read_scene_graph(text).graph
    if graph is not None:
        assert read_scene_graph(graph.to_json()).graph == graph


@given(value=JSON)
def test_no_json_is_an_error(value: object) -> None:
    graph = read_scene_graph(json.dumps(value)).graph
    if graph is not None:
        assert read_scene_graph(graph.to_json()).graph == graph


@given(graph=graphs(), share=st.floats(0, 1))
def test_a_graph_cut_off_anywhere_is_read_as_far_as_it_goes(
    graph: SceneGraph, share: float
) -> None:
    written = graph.to_json()
    reading = read_scene_graph(written[: int(share * len(written))])
    found = () if reading.graph is None else reading.graph.objects
    # What is half a name of an object is none; a bracket within a name can hide that it is.
    if not set("[]{}") & set("".join(thing.id for thing in graph.objects)):
        assert len(found) <= len(graph.objects)


@pytest.mark.parametrize("seed", range(8))
def test_the_graphs_of_drawn_scenes_stay_as_they_are(seed: int) -> None:
    written = graph_json(SceneSampler().draw(np.random.default_rng(seed)))
    reading = read_scene_graph(written)
    assert (reading.status, reading.text) == (GraphStatus.PARSED, written)


def test_the_form_that_models_are_shown_is_that_of_drawn_scenes() -> None:
    drawn = json.loads(graph_json(SceneSampler(least_objects=6).draw(np.random.default_rng(1))))
    shown = json.loads(GRAPH_FORM)
    assert list(shown) == list(drawn)
    assert {len(link) for link in drawn["relations"]} == {len(shown["relations"][0])} == {3}
    assert shown["objects"][0]["id"] == drawn["objects"][0]["id"] == "a"
    assert read_scene_graph(GRAPH_FORM).text == GRAPH_FORM


DOG, CAT = GraphObject("dog", "dog"), GraphObject("cat", "cat")
CHASES = SceneGraph((DOG, CAT), (GraphRelation("dog", "chases", "cat"),))


@pytest.mark.parametrize(
    "text",
    [
        '{"objects": ["dog", "cat"], "relations": [["dog", "chases", "cat"]]}',
        '```json\n{"objects": ["dog", "cat"], "relationships": [["dog", "chases", "cat"]]}\n```',
        'Sure [1]! {"objects": ["dog", "cat"], "relations": ["dog chases cat"]} Bye {now}.',
        '{"scene_graph": {"objects": {"dog": {}, "cat": []}, "edges": ["dog -> chases -> cat"]}}',
        '{"objects": [{"name": "dog"}, {"object": "cat"}], "relationships": '
        '[{"subject": "Dog", "predicate": "chases", "object": "cat"}]}',
        '{"objects": [{"id": "dog", "name": "dog"}], "relations": {"dog": {"chases": "cat"}}}',
        '{"nodes": ["dog", "cat"], "edges": [{"source": "dog", "relation": "chases", '
        '"target": "cat"}]}',
        '{"relations": [["dog", "chases", "cat"]]}',
    ],
)
def test_many_shapes_say_the_same(text: str) -> None:
    reading = read_scene_graph(text)
    assert reading.graph == CHASES
    assert reading.status is GraphStatus.PARSED


@pytest.mark.parametrize(
    "text",
    [
        "{'objects': ['dog', 'cat'], 'relations': [['dog', 'chases', 'cat']]}",
        '{"objects": ["dog", "cat",], "relations": [["dog", "chases", "cat"],],}',
        '{"objects": ["dog", "cat"], "relations": [["dog", "chases", "cat"]',
        '```json\n{"objects": ["dog", "cat"], "relations": [["dog", "chases", "cat"]], "x": {',
        '{"objects": ["dog", "cat"], "relations": [["dog", "chases", "cat"], ["dog", "le',
        '{"objects": ["dog", 7.5e400, "cat", []], "relations": [["dog", "chases", "cat"]]}',
    ],
)
def test_a_broken_graph_is_repaired_and_said_to_be(text: str) -> None:
    reading = read_scene_graph(text)
    assert reading.status is GraphStatus.REPAIRED
    assert reading.graph is not None
    assert reading.graph.relations == CHASES.relations


@pytest.mark.parametrize("text", ["", "A dog chases a cat.", "[1] {see}", "{}", "null", '{"a": 1}'])
def test_what_is_no_graph_is_used_as_text(text: str) -> None:
    reading = read_scene_graph(f" {text}\n")
    assert reading.status is GraphStatus.TEXT
    assert reading.text == text


def test_attributes_come_in_many_shapes() -> None:
    texts = (
        '{"objects": [{"id": "a", "name": "dog", "color": "red", "attributes": ["wet"]}]}',
        '{"objects": [{"id": "a", "name": "dog", "attributes": [{"color": "red"}, "wet"]}]}',
        '{"objects": [{"id": "a", "name": "dog"}], "attributes": [["a", {"color": "red"}, "wet"]]}',
    )
    dog = GraphObject("a", "dog", (("color", "red"),), ("wet",))
    assert [read_scene_graph(text).graph for text in texts] == [SceneGraph((dog,))] * 3
    assert dog.label == "red wet dog"


@pytest.mark.parametrize(
    "box",
    [
        '"bbox": [1, 2, 4, 6]',
        '"box": ["1", "2", "4", "6"]',
        '"bounding_box": {"x1": 1, "y1": 2, "x2": 4, "y2": 6}',
        '"box": {"x": 1, "y": 2, "width": 3, "height": 4}',
    ],
)
def test_boxes_come_in_many_shapes(box: str) -> None:
    graph = read_scene_graph(f'{{"objects": [{{"id": "a", {box}}}]}}').graph
    assert graph is not None
    assert graph.objects[0].box == (1, 2, 4, 6)


def test_a_place_that_is_none_is_dropped_and_counted() -> None:
    reading = read_scene_graph('{"objects": [{"id": "a", "box": [1, 2]}]}')
    assert (reading.status, reading.n_dropped) == (GraphStatus.REPAIRED, 1)


def test_objects_of_one_name_stay_apart() -> None:
    graph = read_scene_graph('{"objects": ["dog", "dog"]}').graph
    assert graph is not None
    assert [thing.id for thing in graph.objects] == ["dog", "dog 2"]


def test_statuses_are_counted() -> None:
    texts = ('{"objects": ["a"]}', "{'objects': ['a']}", "a", "b")
    counts = count_statuses(map(read_scene_graph, texts))
    assert counts == {"parsed": 1, "repaired": 1, "text": 2}


@pytest.mark.parametrize(
    "make",
    [
        lambda: GraphObject(""),
        lambda: GraphObject("a", properties=(("Name", "x"),)),
        lambda: GraphObject("a", properties=(("c", "x"), ("c", "y"))),
        lambda: GraphObject("a", attributes=("",)),
        lambda: GraphObject("a", box=(0, 0, float("nan"), 1)),
        lambda: SceneGraph((GraphObject("a"), GraphObject("a"))),
        lambda: SceneGraph((GraphObject("a"),), (GraphRelation("a", "on", "b"),)),
    ],
)
def test_a_graph_that_makes_no_sense_is_refused(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]


def test_a_long_run_of_brackets_is_read_in_no_time() -> None:
    for text in ("[" * 20_000, '{"a":' * 20_000, '{"objects":[' + '{"id":"a"},' * 4_000):
        read_scene_graph(text)
