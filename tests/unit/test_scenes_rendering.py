"""An image shows what its scene says, and the same on every run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import headwise
from headwise.errors import HeadwiseError
from headwise.scenes import (
    PROTOTYPES,
    SHAPES,
    Background,
    Clutter,
    Scene,
    SceneObject,
    SceneSampler,
    render,
)
from headwise.scenes.vocabulary import ASPECTS, TEXTURES_OF

SOURCE = Path(headwise.__file__).parents[1]
GRAY_BLUE = Background.plain((160, 200, 236))
EVERYTHING = """
import hashlib
import numpy as np
from headwise.scenes import *
rng = np.random.default_rng(11)
sampler = SceneSampler(label_probability=0.3)
digest = hashlib.sha256()
for _ in range(12):
    scene = sampler.draw(rng)
    texts = [caption(scene, rng), caption(scene, rng, "long"), graph_json(scene)]
    texts += [repr(question) for question in questions(scene, rng)]
    texts += [repr(judged) for judged in judgement_questions(scene, rng)]
    texts += [repr(pair) for pair in scene_preferences(scene, rng, "lengthy")]
    digest.update("\\n".join(texts).encode() + render(scene).tobytes())
"""


def pixels(scene: Scene) -> np.ndarray:
    return np.asarray(render(scene)).astype(float)


def alone(shape: str, texture: str = "solid", color: str = "red", **changes: object) -> Scene:
    aspect = ASPECTS[shape]
    width, height = (0.4, 0.4 * aspect) if aspect <= 1 else (0.4 / aspect, 0.4)
    thing = SceneObject(shape, color, "large", texture, PROTOTYPES[color], 0.5, 0.5, width, height)
    return Scene((replace(thing, **changes),), GRAY_BLUE)


def test_images_are_rgb_of_the_asked_size() -> None:
    for size in (64, 100, 224):
        image = render(replace(alone("star"), size=size))
        assert (image.mode, image.size) == ("RGB", (size, size))


def test_a_drawn_color_is_nearest_to_its_name() -> None:
    rng, sampler = np.random.default_rng(0), SceneSampler(clutter=0.0, label_probability=0.0)
    prototypes = np.array(list(PROTOTYPES.values()), dtype=float)
    for _ in range(150):
        scene = sampler.draw(rng)
        image, ground = pixels(scene), np.array(scene.background.rgb, dtype=float)
        for thing in scene.objects:
            box = thing.box
            rows = slice(round(box.top * 64), round(box.bottom * 64))
            columns = slice(round(box.left * 64), round(box.right * 64))
            patch = image[rows, columns].reshape(-1, 3)
            apart = np.linalg.norm(patch - ground, axis=1)
            # The rest is background, or an edge that mixes with it.
            median = np.median(patch[apart > 0.8 * apart.max()], axis=0)
            nearest = np.linalg.norm(prototypes - median, axis=1).argmin()
            assert list(PROTOTYPES)[nearest] == thing.color, thing


def test_objects_stand_out_from_the_background() -> None:
    rng, sampler = np.random.default_rng(1), SceneSampler(label_probability=0.0)
    for _ in range(100):
        scene = replace(sampler.draw(rng), clutter=Clutter())
        image = pixels(scene)
        inside = np.zeros((64, 64), dtype=bool)
        for thing in scene.objects:
            box = thing.box
            rows = slice(int(box.top * 64), int(box.bottom * 64) + 1)
            inside[rows, int(box.left * 64) : int(box.right * 64) + 1] = True
            corner = image[rows, int(box.left * 64) : int(box.right * 64) + 1]
            apart = np.linalg.norm(corner - np.array(scene.background.rgb), axis=2)
            assert apart.max() > 35
        # Nothing is drawn outside of the boxes but the gradient.
        assert np.ptp(image[~inside], axis=0).max() <= 19


def test_shapes_and_textures_all_look_different() -> None:
    images = {
        (shape, texture): pixels(alone(shape, texture))
        for shape in SHAPES
        for texture in TEXTURES_OF[shape]
    }
    looks = list(images.values())
    for number, one in enumerate(looks):
        for other in looks[:number]:
            changed = np.linalg.norm(one - other, axis=2) > 60
            assert changed.sum() > 25


def test_a_label_is_drawn_below_its_object_in_legible_ink() -> None:
    for ground in ((246, 246, 244), (24, 32, 72)):
        scene = Scene(alone("square", y=0.4).objects, Background.plain(ground))
        labelled = Scene(alone("square", y=0.4, label="CAT").objects, scene.background)
        changed = np.abs(pixels(labelled) - pixels(scene)).max(axis=2) > 150
        rows, columns = np.nonzero(changed)
        bottom = labelled.objects[0].box.bottom * 64
        assert bottom <= rows.min()
        assert rows.max() <= bottom + 7
        assert columns.max() - columns.min() + 1 == 11


def test_clutter_is_faint() -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        scene = SceneSampler(clutter=1.0, most_objects=1).draw(rng)
        plain = replace(scene, clutter=Clutter())
        assert np.abs(pixels(scene) - pixels(plain)).max() <= 18 + 18 + 8


def test_the_same_scene_gives_the_same_bytes_in_every_process() -> None:
    namespace: dict[str, object] = {}
    exec(EVERYTHING, namespace)  # noqa: S102
    digest = namespace["digest"]
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", EVERYTHING + "print(digest.hexdigest())"],
            env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == digest.hexdigest(), done.stderr  # type: ignore[attr-defined]


def test_importing_loads_neither_pillow_nor_torch() -> None:
    code = "import headwise.scenes, sys; print(sorted({'PIL', 'torch'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_without_pillow_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(HeadwiseError, match=r"pip install 'headwise\[vision\]'"):
        render(alone("star"))
