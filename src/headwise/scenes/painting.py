"""Painting with Pillow; `render` imports this where Pillow is installed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import ceil, cos, floor, radians, sin

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from headwise.scenes.backdrop import Background, Clutter
from headwise.scenes.color import shaded, to_lab
from headwise.scenes.lettering import PIXEL, label_width, pixel_rows
from headwise.scenes.outlines import OUTLINES
from headwise.scenes.scene import Scene, SceneObject
from headwise.scenes.vocabulary import RGB, Texture

# Shapes are drawn this many times larger and averaged down: smooth edges at any size.
_OVERSAMPLING = 4
# Of 64 to a side, so that a texture looks the same at every size of image.
_BORDER: Mapping[Texture, float] = {"outlined": 1.6, "striped": 1.0, "dotted": 1.0}
_STRIPE_PITCH, _STRIPE = 4.6, 2.6
_DOT_PITCH, _DOT_RADIUS = 4.4, 1.25
_MIDDLE_LIGHTNESS = 50
_DARK_INK: RGB = (10, 10, 10)
_LIGHT_INK: RGB = (255, 255, 255)


def paint(scene: Scene) -> Image.Image:
    """Draws a scene.

    Args:
        scene: The scene.

    Returns:
        An RGB image of `scene.size` by `scene.size` pixels.
    """
    canvas = _backdrop(scene.background, scene.size)
    _add_clutter(canvas, scene.background, scene.clutter)
    dark = to_lab(scene.background.rgb)[0] < _MIDDLE_LIGHTNESS
    for thing in scene.objects:
        _add_object(canvas, thing)
        if thing.label is not None:
            _add_label(canvas, thing, thing.label, _LIGHT_INK if dark else _DARK_INK)
    return _with_noise(canvas, scene.clutter) if scene.clutter.noise else canvas


def _backdrop(background: Background, size: int) -> Image.Image:
    if background.rgb == background.rgb_end:
        return Image.new("RGB", (size, size), background.rgb)
    angle = radians(background.angle)
    steps = (np.arange(size) + 0.5) / size - 0.5
    along = steps[None, :] * cos(angle) + steps[:, None] * sin(angle)
    # The corners are at most this far from the middle, along any direction.
    share = along / (abs(cos(angle)) + abs(sin(angle))) + 0.5
    begin, end = np.array(background.rgb), np.array(background.rgb_end)
    pixels = begin + share[..., None] * (end - begin)
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def _add_clutter(canvas: Image.Image, background: Background, clutter: Clutter) -> None:
    draw, size = ImageDraw.Draw(canvas), canvas.width
    for line in clutter.lines:
        ends = [line.x * size, line.y * size, line.x_end * size, line.y_end * size]
        width = max(1, round(size * PIXEL))
        draw.line(ends, fill=shaded(background.rgb, line.shade), width=width)
    for dot in clutter.dots:
        around = [(dot.x - dot.radius) * size, (dot.y - dot.radius) * size]
        around += [(dot.x + dot.radius) * size, (dot.y + dot.radius) * size]
        draw.ellipse(around, fill=shaded(background.rgb, dot.shade))


def _add_object(canvas: Image.Image, thing: SceneObject) -> None:
    size, box = canvas.width, thing.box
    left, top = floor(box.left * size), floor(box.top * size)
    right, bottom = ceil(box.right * size), ceil(box.bottom * size)
    # Pixels of the mask for a share of the image, and the box within the mask.
    scale = size * _OVERSAMPLING
    x, y = box.left * scale - left * _OVERSAMPLING, box.top * scale - top * _OVERSAMPLING
    width, height = thing.width * scale, thing.height * scale
    outline = OUTLINES[thing.shape]
    borders = [
        [(x + u * width, y + v * height) for u, v in polygon]
        for polygon in (outline.outer, outline.hole)
        if polygon is not None
    ]
    extent = ((right - left) * _OVERSAMPLING, (bottom - top) * _OVERSAMPLING)
    mask = _area(extent, borders)
    if thing.texture != "solid":
        mask = ImageChops.darker(mask, _pattern(extent, borders, thing.texture, scale * PIXEL))
    canvas.paste(thing.rgb, (left, top), mask.reduce(_OVERSAMPLING))


def _area(extent: tuple[int, int], borders: list[list[tuple[float, float]]]) -> Image.Image:
    mask = Image.new("L", extent)
    draw = ImageDraw.Draw(mask)
    for border, fill in zip(borders, (255, 0), strict=False):
        draw.polygon(border, fill=fill)
    return mask


def _pattern(
    extent: tuple[int, int],
    borders: list[list[tuple[float, float]]],
    texture: Texture,
    unit: float,
) -> Image.Image:
    """What of the area is filled: a border, and stripes or all but dots within it.

    Args:
        extent: The mask's width and height in pixels.
        borders: The outline's polygons in pixels of the mask.
        texture: Any but `"solid"`.
        unit: Pixels of the mask for one of 64 to a side of the image.
    """
    width, height = extent
    mask = Image.new("L", extent, 255 if texture == "dotted" else 0)
    draw = ImageDraw.Draw(mask)
    if texture == "striped":
        pitch, band = _STRIPE_PITCH * unit, _STRIPE * unit
        for left in np.arange(pitch / 2 - height, width, pitch).tolist():
            corners = [(left, height), (left + height, 0)]
            corners += [(left + height + band, 0), (left + band, height)]
            draw.polygon(corners, fill=255)
    elif texture == "dotted":
        radius = _DOT_RADIUS * unit
        for x, y in _dot_centres(extent, _DOT_PITCH * unit):
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=0)
    # Half of the line lies outside of the area, which is cut off later.
    for border in borders:
        draw.line(
            [*border, border[0], border[1]], fill=255, width=round(2 * _BORDER[texture] * unit)
        )
    return mask


def _dot_centres(extent: tuple[int, int], pitch: float) -> list[tuple[float, float]]:
    """A grid around the middle, every other row moved by half."""
    width, height = extent
    rows = range(-int(height / pitch) - 1, int(height / pitch) + 2)
    columns = range(-int(width / pitch) - 1, int(width / pitch) + 2)
    return [
        (width / 2 + (column + row % 2 / 2) * pitch, height / 2 + row * pitch * 0.87)
        for row in rows
        for column in columns
    ]


def _add_label(canvas: Image.Image, thing: SceneObject, label: str, ink: RGB) -> None:
    size = canvas.width
    mask = _label_mask(label, size * PIXEL)
    # Whole pixels: letters of a few pixels must not be blurred.
    left = round((thing.x - label_width(label) / 2) * size)
    top = round((thing.box.bottom + PIXEL) * size)
    canvas.paste(ink, (left, top), mask)


@lru_cache(maxsize=512)
def _label_mask(label: str, scale: float) -> Image.Image:
    rows = np.array([[int(pixel) for pixel in row] for row in pixel_rows(label)], dtype=np.uint8)
    # Enlarged in whole steps, then averaged down to a size between them.
    step = ceil(scale)
    enlarged = Image.fromarray(np.kron(255 * rows, np.ones((step, step), dtype=np.uint8)))
    height, width = rows.shape
    return enlarged.resize((round(width * scale), round(height * scale)), Image.Resampling.BOX)


def _with_noise(canvas: Image.Image, clutter: Clutter) -> Image.Image:
    pixels = np.asarray(canvas).astype(np.int16)
    rng = np.random.Generator(np.random.PCG64(clutter.noise_seed))
    noise = rng.integers(-clutter.noise, clutter.noise, pixels.shape, np.int16, endpoint=True)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
