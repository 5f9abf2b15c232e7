"""Drawing scenes as arrays, in worker processes, with more variety than `SceneSampler` has."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headwise.errors import InputError
from headwise.scenes import Background, Scene, SceneObject, SceneSampler, render
from headwise.scenes.vocabulary import (
    COLOR_LABELS,
    COLORS,
    LABELS,
    MOST_OBJECTS,
    SHAPE_LABELS,
    SHAPES,
    SIZES,
    TEXTURES,
)

RESOLUTION = 96
"""The side of the image that the tower sees."""
WORDS = (*LABELS, *COLOR_LABELS, *SHAPE_LABELS)
"""All labels; 0 stands for none."""
BOX, SHAPE, COLOR, SIZE, TEXTURE, LABEL = slice(0, 4), 4, 5, 6, 7, 8
"""The columns of an object's row."""
_COLUMNS = 9
_SOURCE_SIZES = (64, 64, 96, 128, 224)
# Between the longest small and the shortest large object.
_LARGE = 0.305
# Below this scale textures and letters can't be told any more.
_LEGIBLE = 0.85


@dataclass(frozen=True, slots=True)
class Drawn:
    """Scenes as arrays.

    Args:
        images: `(scenes, side, side, 3)`.
        objects: `(scenes, MOST_OBJECTS, columns)`: the box, then the numbers of shape, colour,
            size, texture and label; -1 where there is no object or it can't be told.
    """

    images: NDArray[np.uint8]
    objects: NDArray[np.float32]


def sampler(most_objects: int = MOST_OBJECTS, size: int = RESOLUTION) -> SceneSampler:
    """How scenes for training are drawn.

    Args:
        most_objects: The most objects.
        size: The side of the picture.

    Returns:
        The sampler, with pure colours now and then and more labels than usual.
    """
    return SceneSampler(
        size=size, most_objects=most_objects, vivid_probability=0.35, label_probability=0.2
    )


def draw_scene(
    rng: np.random.Generator, most_objects: int = MOST_OBJECTS, least_objects: int = 1
) -> Scene:
    """A scene with more variety than the sampler's own.

    Args:
        rng: Where chance comes from.
        most_objects: The most objects.
        least_objects: The fewest objects.

    Returns:
        The scene: at any of several sizes, at times with rectangles of other proportions or on any
        light or dark background.
    """
    size = int(rng.choice(_SOURCE_SIZES))
    drawing = replace(sampler(most_objects, size), least_objects=least_objects)
    scene = drawing.draw(rng)
    if rng.random() < 0.5:
        scene = _with_other_proportions(scene, rng)
    if rng.random() < 0.35:
        scene = _on_another_background(scene, rng)
    return scene


def pixels_of(scene: Scene) -> Image.Image:
    """The picture of a scene at the tower's resolution, resized as the processor does."""
    return resized(render(scene))


def resized(picture: Image.Image) -> Image.Image:
    """A picture at the tower's resolution, as the processor makes it."""
    if picture.width == RESOLUTION:
        return picture
    return picture.resize((RESOLUTION, RESOLUTION), Image.Resampling.LANCZOS)


def draw(count: int, seed: int, workers: int = 2, vary: bool = True) -> Drawn:
    """Draws scenes in worker processes.

    Args:
        count: How many.
        seed: The first seed; the same seed gives the same scenes, whatever the workers.
        workers: How many processes.
        vary: Whether to shrink or enlarge some pictures.

    Returns:
        The scenes.
    """
    chunks = [(min(500, count - at), seed * 100_003 + at, vary) for at in range(0, count, 500)]
    if workers <= 1:
        parts = [_draw_chunk(chunk) for chunk in chunks]
    else:
        with ProcessPoolExecutor(workers) as pool:
            parts = list(pool.map(_draw_chunk, chunks))
    return Drawn(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.objects for part in parts]),
    )


def rows_of(scene: Scene) -> NDArray[np.float32]:
    """The objects of a scene as numbers, `(MOST_OBJECTS, columns)`."""
    rows = np.full((MOST_OBJECTS, _COLUMNS), -1, dtype=np.float32)
    for row, thing in zip(rows, scene.objects, strict=False):
        row[BOX] = thing.x, thing.y, thing.width, thing.height
        row[SHAPE], row[COLOR] = SHAPES.index(thing.shape), COLORS.index(thing.color)
        row[SIZE], row[TEXTURE] = SIZES.index(thing.size), TEXTURES.index(thing.texture)
        row[LABEL] = 0 if thing.label is None else 1 + WORDS.index(thing.label)
    return rows


def _draw_chunk(chunk: tuple[int, int, bool]) -> Drawn:
    count, seed, vary = chunk
    rng = np.random.default_rng(seed)
    images = np.empty((count, RESOLUTION, RESOLUTION, 3), dtype=np.uint8)
    objects = np.empty((count, MOST_OBJECTS, _COLUMNS), dtype=np.float32)
    for number in range(count):
        scene = draw_scene(rng)
        picture, rows = pixels_of(scene), rows_of(scene)
        if vary and rng.random() < (0.6 if len(scene.objects) == 1 else 0.2):
            picture, rows = _scaled(picture, rows, rng)
        images[number], objects[number] = np.asarray(picture), rows
    return Drawn(images, objects)


def _scaled(
    picture: Image.Image, rows: NDArray[np.float32], rng: np.random.Generator
) -> tuple[Image.Image, NDArray[np.float32]]:
    """The picture smaller or larger somewhere in the frame, its edges drawn out."""
    scale = rng.uniform(0.45, 1.15)
    side = round(RESOLUTION * scale)
    scale, side_left = side / RESOLUTION, RESOLUTION - side
    valid = rows[:, 0] >= 0
    left, top = (int(rng.integers(min(0, side_left), max(0, side_left) + 1)) for _ in range(2))
    moved = rows.copy()
    moved[valid, 0] = rows[valid, 0] * scale + left / RESOLUTION
    moved[valid, 1] = rows[valid, 1] * scale + top / RESOLUTION
    moved[valid, 2:4] *= scale
    low = moved[valid, :2] - moved[valid, 2:4] / 2
    high = moved[valid, :2] + moved[valid, 2:4] / 2
    if low.min() < 0 or high.max() > 1:
        return picture, rows
    moved[valid, SIZE] = moved[valid, 2:4].max(1) > _LARGE
    if scale < _LEGIBLE:
        striped = valid & (moved[:, TEXTURE] != TEXTURES.index("solid"))
        moved[striped, TEXTURE] = -1
        moved[moved[:, LABEL] > 0, LABEL] = -1
    resized = np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS))
    if side_left >= 0:
        edges = ((top, side_left - top), (left, side_left - left), (0, 0))
        return Image.fromarray(np.pad(resized, edges, mode="edge")), moved
    frame = resized[-top : RESOLUTION - top, -left : RESOLUTION - left]
    return Image.fromarray(np.ascontiguousarray(frame)), moved


def _with_other_proportions(scene: Scene, rng: np.random.Generator) -> Scene:
    """Rectangles from long strips to nearly squares, where there is room."""

    def changed(thing: SceneObject) -> SceneObject:
        if thing.shape != "rectangle":
            return thing
        aspect = rng.uniform(0.36, 0.74)
        if thing.width >= thing.height:
            return replace(thing, height=thing.width * aspect)
        return replace(thing, width=thing.height * aspect)

    try:
        return replace(scene, objects=tuple(changed(thing) for thing in scene.objects))
    except InputError:
        return scene


def _on_another_background(scene: Scene, rng: np.random.Generator) -> Scene:
    least, most = (224, 256) if rng.random() < 0.75 else (20, 236)
    red, green, blue = (int(value) for value in rng.integers(least, most, 3))
    try:
        return replace(scene, background=Background.plain((red, green, blue)))
    except InputError:
        return scene
