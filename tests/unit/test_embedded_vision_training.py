"""Training of the embedded vision model: what it learns from is what the scenes say."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

pytest.importorskip("PIL")

from training.embedded_vision.checkpoints import read_checkpoint
from training.embedded_vision.dialogues import Mix, exchanges, presence
from training.embedded_vision.drawing import BOX, RESOLUTION, draw, draw_scene, rows_of
from training.embedded_vision.examples import told_in
from training.embedded_vision.geometry import BELOW, GRID, LEFT, layout_of
from training.embedded_vision.low_rank import LowRankLinear, without_update
from training.embedded_vision.packed_attention import packed_attention, plan_of
from training.embedded_vision.packing import IMAGE_TOKENS, Packer, batched
from training.embedded_vision.reopen import reopened
from training.embedded_vision.slots import COLUMN, LineWords, lines_of
from training.embedded_vision.tower import Tower, vision_config

from headwise.engines.embedded_vision import NEW_TOKENS, WEIGHTS
from headwise.scenes.relations import Relation, linking_relations, reading_order
from headwise.scenes.vocabulary import VALUES
from tiny_tokenizer import build_tokenizer

_DIRECTIONS = ("", "left", "right", "above", "below")


def _packer() -> Packer:
    tokenizer = build_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": list(IMAGE_TOKENS)})
    return Packer(tokenizer)


def test_layouts_agree_with_the_relations_of_scenes() -> None:
    rng = np.random.default_rng(0)
    scenes = [draw_scene(rng) for _ in range(60)]
    layout = layout_of(np.stack([rows_of(scene) for scene in scenes])[..., BOX])
    for number, scene in enumerate(scenes):
        order = reading_order(scene)
        assert [int(layout.rank[number, thing]) for thing in order] == list(range(len(order)))
        found = set()
        for thing in range(len(order)):
            rank = int(layout.link[number, thing])
            if rank < len(order):
                direction = _DIRECTIONS[layout.directions[number, thing, rank]]
                told = Relation(thing, direction, order[rank])
                found.add(told if direction in ("left", "above") else told.reversed())
        assert found == set(linking_relations(scene))


def test_an_object_beside_another_is_seen_from_both() -> None:
    boxes = np.full((1, 6, 4), -1, dtype=np.float32)
    boxes[0, 0], boxes[0, 1] = (0.2, 0.5, 0.2, 0.2), (0.7, 0.5, 0.2, 0.2)
    boxes[0, 2] = (0.7, 0.9, 0.15, 0.15)
    layout = layout_of(boxes)
    assert layout.directions[0, 0, layout.rank[0, 1]] == LEFT
    assert layout.directions[0, 2, layout.rank[0, 1]] == BELOW


def test_drawing_is_the_same_for_the_same_seed() -> None:
    first, second = draw(6, 3, workers=1), draw(6, 3, workers=1)
    assert first.images.shape == (6, RESOLUTION, RESOLUTION, 3)
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.objects, second.objects)


def test_presence_is_answered_truly_either_way_round() -> None:
    rng = np.random.default_rng(1)
    answers = []
    for _ in range(80):
        scene = draw_scene(rng, 1)
        exchange = presence(scene, rng)
        thing = scene.objects[0]
        words = exchange.prompt.lower().replace("?", " ").split()
        colors_fit = all(word == thing.color for word in words if word in _colors())
        shapes_fit = all(word == thing.shape for word in words if word in _shapes())
        there = colors_fit and shapes_fit
        assert exchange.answer == ("Yes" if there == (exchange.task == "there") else "No")
        answers.append(exchange.answer)
    assert 20 < answers.count("Yes") < 60


def test_graphs_asked_for_are_json() -> None:
    rng = np.random.default_rng(2)
    mix = Mix(graph=1.0, with_graph=0.0)
    asked = [e for _ in range(8) for e in exchanges(draw_scene(rng, 4), rng, mix)]
    graphs = [json.loads(exchange.answer) for exchange in asked if exchange.task == "graph"]
    assert len(graphs) == 8
    assert all(set(graph) == {"objects", "relations"} for graph in graphs)


def test_packed_exchanges_see_only_the_picture_and_themselves() -> None:
    packer, rng = _packer(), np.random.default_rng(3)
    row = packer.about_one_image(exchanges(draw_scene(rng, 2), rng, Mix(questions=3)))
    batch = batched([row], torch.float32)
    segments, seen = batch.segments[0], batch.mask[0, 0] == 0
    for place in range(len(segments)):
        own = {int(segment) for segment in segments[seen[place]]}
        assert own <= {0, int(segments[place])}
    shared = int((segments == 0).sum())
    starts = [int((segments == number).nonzero()[0]) for number in range(1, len(row.tasks))]
    assert all(int(batch.positions[0, start]) == shared for start in starts)


def test_attention_by_plan_is_attention_by_mask() -> None:
    torch.manual_seed(0)
    segments = [0] * 7 + [1] * 5 + [2] * 60 + [3] * 9
    query = torch.randn(1, 6, len(segments), 8)
    key, value = (torch.randn(1, 2, len(segments), 8) for _ in range(2))
    table = torch.tensor(segments)
    seen = ((table[:, None] == table) | (table == 0)) & torch.ones(81, 81).tril().bool()
    mask = torch.zeros(1, 1, 81, 81).masked_fill(~seen, -1e9)
    wanted, _ = packed_attention(None, query, key, value, mask)
    found, _ = packed_attention(None, query, key, value, None, plan=plan_of(segments))
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_the_update_merged_is_what_training_used() -> None:
    torch.manual_seed(0)
    plain = nn.Linear(12, 20, bias=False)
    updated = LowRankLinear(plain, 3)
    nn.init.normal_(updated.up)
    inputs = torch.randn(2, 5, 12)
    merged = plain.weight + updated.up @ updated.down
    torch.testing.assert_close(updated(inputs), inputs @ merged.t())
    with without_update(updated):
        torch.testing.assert_close(updated(inputs), plain(inputs))


def test_the_tower_in_training_is_the_tower_that_ships() -> None:
    torch.manual_seed(0)
    tower = Tower(vision_config(64, 2), 16).eval()
    pixels = torch.randn(2, 3, RESOLUTION, RESOLUTION)
    with torch.no_grad():
        whole = tower.vision(pixel_values=pixels).last_hidden_state
        cell = tower.tokens(pixels)[:, 7]
    # The second cell of the second row: patches (2, 2), (2, 3), (3, 2), (3, 3) of 12 to a side.
    patches = torch.cat([whole[:, 12 * row + column] for row in (2, 3) for column in (2, 3)], -1)
    torch.testing.assert_close(cell, patches, atol=1e-5, rtol=1e-4)


class _OneTokenAWord:
    """Gives every text a token of its own."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def __call__(self, text: str, **_: object) -> dict[str, list[int]]:
        return {"input_ids": [self._ids.setdefault(text, len(self._ids))]}


def _line_words() -> LineWords:
    generator = torch.Generator().manual_seed(0)
    return LineWords(torch.randn(200, 128, generator=generator), _OneTokenAWord())


def test_lines_tell_the_objects_in_reading_order() -> None:
    rng, words = np.random.default_rng(5), _line_words()
    for _ in range(20):
        scene = draw_scene(rng, 4)
        lines = lines_of(rows_of(scene)[None])
        said = words.vectors(lines).view(GRID, GRID, -1) - words.mean
        order = reading_order(scene)
        assert lines.filled[0].tolist() == [line < len(order) for line in range(GRID)]
        for line, number in enumerate(order):
            for name, table in words.tables.items():
                nearest = torch.cdist(said[line, COLUMN[name]][None], table).argmin()
                assert VALUES[name][int(nearest)] == getattr(scene.objects[number], name)
        assert (said[len(order) :] == said[-1, -1]).all()


def test_what_is_told_is_the_same_for_the_same_scene() -> None:
    tell, scene = told_in(_line_words()), draw_scene(np.random.default_rng(6), 3)
    torch.testing.assert_close(tell([scene]), tell([scene]), atol=0, rtol=0)
    blurred = tell([scene]) - told_in(_line_words(), noise=0.0)([scene])
    assert 0 < float(blurred.norm()) < float(tell([scene]).norm())


def test_training_and_package_name_the_same_tokens() -> None:
    assert IMAGE_TOKENS == NEW_TOKENS


def _colors() -> tuple[str, ...]:
    from headwise.scenes import COLORS

    return COLORS


def _shapes() -> tuple[str, ...]:
    from headwise.scenes import SHAPES

    return SHAPES


def test_what_ships_is_read_back_as_the_checkpoints_it_came_from(tmp_path) -> None:
    tower, language = reopened(WEIGHTS)
    save_file(tower, tmp_path / "tower.safetensors", metadata={"step": "0"})
    opened = Tower(vision_config(), 576)
    assert read_checkpoint(tmp_path / "tower.safetensors", opened) == 0
    left = {name for name, _ in opened.named_parameters()} - {n.split("/")[1] for n in tower}
    assert left == {"heads.weight", "heads.bias"}
    shipped = load_file(WEIGHTS)
    assert torch.equal(opened.connector.weight, shipped["connector.weight"].float())
    # Everything that ships is in one of the two, and the connector in the tower's alone.
    assert len(tower) + len(language) == len(shipped)
    assert all(value.dtype == torch.float32 for value in language.values())
