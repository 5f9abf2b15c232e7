"""Scenes drawn by chance hold what can be told apart, balanced and reproducible."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from headwise.errors import InputError
from headwise.scenes import (
    BACKGROUNDS,
    COLORS,
    LABELS,
    PROTOTYPES,
    SHAPES,
    SIZES,
    TEXTURES,
    Background,
    Clutter,
    Dot,
    Line,
    Scene,
    SceneObject,
    SceneSampler,
)
from headwise.scenes.color import distance, draw_color, name_of
from headwise.scenes.lettering import check_label, pixel_rows
from headwise.scenes.scene import LEAST_CONTRAST
from headwise.scenes.vocabulary import COLOR_LABELS, SHAPE_LABELS, SPANS

LIGHT = Background.plain((246, 246, 244))


def drawn(count: int, seed: int = 0, **settings: object) -> list[Scene]:
    rng, sampler = np.random.default_rng(seed), SceneSampler(**settings)
    return [sampler.draw(rng) for _ in range(count)]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return drawn(600)


def red_circle(**changes: object) -> SceneObject:
    thing = SceneObject("circle", "red", "small", "solid", PROTOTYPES["red"], 0.3, 0.3, 0.23, 0.23)
    return replace(thing, **changes)


def test_the_same_seed_gives_the_same_scenes() -> None:
    assert drawn(20, seed=3) == drawn(20, seed=3) != drawn(20, seed=4)


def test_objects_never_cover_each_other_or_leave_the_image(scenes: list[Scene]) -> None:
    for scene in scenes:
        boxes = [thing.footprint for thing in scene.objects]
        assert all(0 <= b.left < b.right <= 1 and 0 <= b.top < b.bottom <= 1 for b in boxes)
        for one, other in combinations(boxes, 2):
            apart = max(
                one.left - other.right,
                other.left - one.right,
                one.top - other.bottom,
                other.top - one.bottom,
            )
            assert apart > 0


def test_numbers_of_objects_are_as_likely(scenes: list[Scene]) -> None:
    counts = Counter(len(scene.objects) for scene in scenes)
    assert set(counts) == {1, 2, 3, 4, 5, 6}
    assert min(counts.values()) > 70


def test_colors_and_shapes_are_uniform_and_independent() -> None:
    things = [thing for scene in drawn(1500, seed=1) for thing in scene.objects]
    table = np.zeros((len(SHAPES), len(COLORS)))
    for thing in things:
        table[SHAPES.index(thing.shape), COLORS.index(thing.color)] += 1
    expected = len(things) / table.size
    # Chi-square over its degrees of freedom: about 1 if independent and uniform, +-0.13.
    assert ((table - expected) ** 2 / expected).sum() / (table.size - 1) < 1.4


def test_sizes_are_clearly_separate_and_balanced_where_there_is_room(scenes: list[Scene]) -> None:
    assert SPANS["large"].least > 1.4 * SPANS["small"].most
    few = [thing.size for scene in scenes if len(scene.objects) <= 3 for thing in scene.objects]
    assert 0.38 < few.count("large") / len(few) < 0.6


def test_twins_are_rare_and_only_where_asked(scenes: list[Scene]) -> None:
    def twins(scene: Scene) -> bool:
        pairs = [(thing.shape, thing.color) for thing in scene.objects]
        return len(set(pairs)) < len(pairs)

    assert 0.03 < np.mean([twins(scene) for scene in scenes]) < 0.14
    assert not any(map(twins, drawn(200, duplicate_probability=0.0)))
    assert all(map(twins, drawn(50, duplicate_probability=1.0, least_objects=2)))


def test_settings_restrict_what_is_drawn() -> None:
    settings = {"shapes": ("star", "ring"), "colors": ("red", "teal", "gray")}
    for scene in drawn(60, **settings, least_objects=2, most_objects=3, size=96):
        assert {thing.shape for thing in scene.objects} <= {"star", "ring"}
        assert {thing.color for thing in scene.objects} <= {"red", "teal", "gray"}
        assert 2 <= len(scene.objects) <= 3
        assert scene.size == 96
    plain = drawn(60, clutter=0.0, label_probability=0.0, textures=("solid",))
    for scene in plain:
        assert scene.clutter.noise == 0
        assert scene.clutter.lines == scene.clutter.dots == ()
        assert scene.background.rgb == scene.background.rgb_end
        assert {(thing.texture, thing.label) for thing in scene.objects} == {("solid", None)}


def test_labels_say_something_else_than_their_object(scenes: list[Scene]) -> None:
    labelled = [t for scene in drawn(100, label_probability=1.0) for t in scene.objects if t.label]
    assert labelled
    for thing in labelled:
        assert COLOR_LABELS.get(thing.label) != thing.color
        assert SHAPE_LABELS.get(thing.label) != thing.shape
    # Short words find room more often, and those that say nothing are short.
    conflicting = [t.label in COLOR_LABELS or t.label in SHAPE_LABELS for t in labelled]
    assert 0.3 < np.mean(conflicting) < 0.6
    assert 0.05 < np.mean([t.label is not None for s in scenes for t in s.objects]) < 0.25


def test_there_is_a_background_for_all_colors_at_once() -> None:
    rng = np.random.default_rng(0)
    shades = {draw_color(color, rng) for color in COLORS for _ in range(300)}
    apart = [min(distance(tone, shade) for shade in shades) for tone in BACKGROUNDS]
    assert sum(contrast >= LEAST_CONTRAST for contrast in apart) >= 2


def test_a_color_has_one_name_or_none() -> None:
    rng = np.random.default_rng(0)
    for color in COLORS:
        assert name_of(PROTOTYPES[color]) == color
        shades = {draw_color(color, rng) for _ in range(30)}
        assert len(shades) > 8
        assert {name_of(shade) for shade in shades} == {color}
    pairs = zip(PROTOTYPES["red"], PROTOTYPES["orange"], strict=True)
    assert name_of(tuple((one + other) // 2 for one, other in pairs)) is None


def test_every_label_can_be_written_and_no_two_letters_look_the_same() -> None:
    for word in (*LABELS, *COLOR_LABELS, *SHAPE_LABELS):
        check_label(word)
    letters = [pixel_rows(letter) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"]
    assert len(set(letters)) == len(letters)


def test_all_that_is_named_occurs(scenes: list[Scene]) -> None:
    things = [thing for scene in scenes for thing in scene.objects]
    assert {thing.shape for thing in things} == set(SHAPES)
    assert {thing.color for thing in things} == set(COLORS)
    assert {thing.texture for thing in things} == set(TEXTURES)
    assert {thing.size for thing in things} == set(SIZES)
    assert any(scene.clutter.lines for scene in scenes)
    assert any(scene.clutter.dots for scene in scenes)
    assert any(scene.background.rgb != scene.background.rgb_end for scene in scenes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": "blob"}, "shape of an object is one of"),
        ({"color": "blue"}, "not clearly blue"),
        ({"rgb": (300, 0, 0)}, "0 to 255"),
        ({"size": "large"}, "longer side of a large"),
        ({"shape": "ring", "texture": "dotted"}, "can't be told"),
        ({"label": "red"}, "capitals"),
        ({"label": "RECTANGLE"}, "shorten"),
        ({"x": 0.01}, "out of the image"),
    ],
)
def test_an_object_that_nobody_could_name_is_refused(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        red_circle(**change)


def test_a_scene_that_nobody_could_read_is_refused() -> None:
    thing = red_circle()
    assert Scene((thing, red_circle(x=0.7)), LIGHT)
    with pytest.raises(InputError, match="cover each other"):
        Scene((thing, red_circle(x=0.45)), LIGHT)
    with pytest.raises(InputError, match="hardly stands out"):
        Scene((thing,), Background(LIGHT.rgb, (200, 40, 40)))
    with pytest.raises(InputError, match="1 to 6 objects"):
        Scene((), LIGHT)
    with pytest.raises(InputError, match="64 to 512"):
        Scene((thing,), LIGHT, size=32)
    with pytest.raises(InputError, match="Noise"):
        Clutter(noise=60)
    with pytest.raises(InputError, match="lighter or darker"):
        Line(0, 0, 1, 1, shade=90)
    with pytest.raises(InputError, match="lighter or darker"):
        Dot(0.5, 0.5, 0.1, shade=-90)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"least_objects": 0}, "1 to 6 objects"),
        ({"least_objects": 4, "most_objects": 3}, "1 to 6 objects"),
        ({"size": 1024}, "64 to 512"),
        ({"colors": ()}, "colors is empty"),
        ({"colors": ("red",), "shapes": ("star", "ring")}, "too few"),
        ({"textures": ("dotted",)}, "none of the textures"),
        ({"label_probability": 1.5}, "label_probability is 0 to 1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SceneSampler(**settings)
