"""Drawing scenes by chance, balanced so that no colour goes with a shape."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from headwise.errors import InputError
from headwise.scenes.chance import between, coin, pick
from headwise.scenes.clutter import draw_background, draw_clutter
from headwise.scenes.color import draw_color
from headwise.scenes.placement import Extent, Point, place, place_in_grid
from headwise.scenes.scene import SMALLEST, Scene, SceneObject, check_image_size
from headwise.scenes.vocabulary import (
    ASPECTS,
    COLOR_LABELS,
    COLORS,
    LABELS,
    MOST_OBJECTS,
    RGB,
    SHAPE_LABELS,
    SHAPES,
    SIZES,
    SPANS,
    TEXTURES_OF,
    Color,
    Shape,
    Size,
    Texture,
)

_LAYOUTS_WITH_LABELS = 16
_LAYOUTS = 24


@dataclass(frozen=True, slots=True)
class _Draft:
    """An object before it has a size and a place."""

    shape: Shape
    color: Color
    texture: Texture
    rgb: RGB
    label: str | None


@dataclass(frozen=True, slots=True)
class SceneSampler:
    """How scenes are drawn by chance.

    Colours and shapes are independent of each other and uniform, whatever else is drawn. Sizes are
    too where there is room: among five or six objects most are small.

    Args:
        size: The side of the image in pixels, 64 to 512.
        least_objects: The fewest objects.
        most_objects: The most objects; each number is as likely.
        shapes: The shapes to draw from.
        colors: The colours to draw from.
        sizes: The sizes to draw from, where there is room.
        textures: The textures to draw from; one that is named twice is drawn twice as often.
        clutter: The probability of each kind of clutter: gradient, lines, dots, noise.
        label_probability: The probability that an object has a word under it, where there is room.
        conflict_probability: The probability that such a word names a colour or a shape which the
            object does not have; the others say nothing about it.
        duplicate_probability: The probability that two objects have the same shape and colour;
            otherwise no two have.
        vivid_probability: The probability that an object has a vivid shade of its colour.

    Raises:
        InputError: A setting is out of range, or a shape cannot have any of the textures.
    """

    size: int = SMALLEST
    least_objects: int = 1
    most_objects: int = MOST_OBJECTS
    shapes: tuple[Shape, ...] = SHAPES
    colors: tuple[Color, ...] = COLORS
    sizes: tuple[Size, ...] = SIZES
    textures: tuple[Texture, ...] = ("solid", "solid", "striped", "dotted", "outlined")
    clutter: float = 0.3
    label_probability: float = 0.15
    conflict_probability: float = 0.5
    duplicate_probability: float = 0.1
    vivid_probability: float = 0.0

    def __post_init__(self) -> None:
        check_image_size(self.size)
        if not 1 <= self.least_objects <= self.most_objects <= MOST_OBJECTS:
            raise InputError(
                f"A scene has 1 to {MOST_OBJECTS} objects; got {self.least_objects} to "
                f"{self.most_objects}."
            )
        for name in ("shapes", "colors", "sizes", "textures"):
            if not getattr(self, name):
                raise InputError(f"{name} is empty; name at least one to draw from.")
        if len(self.shapes) * len(self.colors) < self.most_objects:
            raise InputError(
                f"{len(self.shapes)} shapes in {len(self.colors)} colours are too few for "
                f"{self.most_objects} objects that differ; allow more, or fewer objects."
            )
        for shape in self.shapes:
            if not self._textures_of(shape):
                raise InputError(
                    f"A {shape} can have none of the textures {self.textures}; allow 'solid', or "
                    f"leave the {shape} out."
                )
        for name in ("label", "conflict", "duplicate", "vivid"):
            share = f"{name}_probability"
            _require_share(share, getattr(self, share))
        _require_share("clutter", self.clutter)

    def draw(self, rng: np.random.Generator) -> Scene:
        """Draws a scene.

        Args:
            rng: Where chance comes from; the same state gives the same scene.

        Returns:
            The scene.
        """
        drafts = self._drafts(rng)
        objects = self._arranged(drafts, rng)
        background = draw_background([draft.rgb for draft in drafts], self.clutter, rng)
        return Scene(objects, background, draw_clutter(self.clutter, rng), self.size)

    def _drafts(self, rng: np.random.Generator) -> list[_Draft]:
        count = int(rng.integers(self.least_objects, self.most_objects + 1))
        pairs = list(product(self.shapes, self.colors))
        drawn = [pairs[row] for row in rng.choice(len(pairs), size=count, replace=False)]
        if count > 1 and coin(rng, self.duplicate_probability):
            drawn[-1] = drawn[0]
        return [
            _Draft(
                shape,
                color,
                pick(rng, self._textures_of(shape)),
                self._shade(color, rng),
                self._label(shape, color, rng),
            )
            for shape, color in drawn
        ]

    def _shade(self, color: Color, rng: np.random.Generator) -> RGB:
        # No coin where there is nothing to decide: what a seed draws stays what it was.
        vivid = self.vivid_probability > 0 and coin(rng, self.vivid_probability)
        return draw_color(color, rng, vivid=vivid)

    def _label(self, shape: Shape, color: Color, rng: np.random.Generator) -> str | None:
        if not coin(rng, self.label_probability):
            return None
        if not coin(rng, self.conflict_probability):
            return pick(rng, LABELS)
        # A coin and not one draw of all: there are more colours than shapes with short names.
        if coin(rng):
            return pick(rng, [word for word, named in COLOR_LABELS.items() if named != color])
        return pick(rng, [word for word, named in SHAPE_LABELS.items() if named != shape])

    def _arranged(self, drafts: list[_Draft], rng: np.random.Generator) -> tuple[SceneObject, ...]:
        for attempt in range(_LAYOUTS):
            sizes = [pick(rng, self.sizes) for _ in drafts]
            labelled = attempt < _LAYOUTS_WITH_LABELS
            extents = [
                _extent(draft, size, rng, labelled=labelled)
                for draft, size in zip(drafts, sizes, strict=True)
            ]
            points = place(extents, rng)
            if points is not None:
                return _placed(drafts, sizes, extents, points)
        # No room for what was drawn: the colours and shapes stay, and everything becomes small.
        sizes = ["small" for _ in drafts]
        extents = [_extent(draft, "small", rng, labelled=False) for draft in drafts]
        return _placed(drafts, sizes, extents, place_in_grid(extents, rng))

    def _textures_of(self, shape: Shape) -> tuple[Texture, ...]:
        return tuple(texture for texture in self.textures if texture in TEXTURES_OF[shape])


def _extent(draft: _Draft, size: Size, rng: np.random.Generator, *, labelled: bool) -> Extent:
    longer = between(rng, SPANS[size].least, SPANS[size].most)
    aspect = ASPECTS[draft.shape]
    if draft.shape == "rectangle" and coin(rng):
        aspect = 1 / aspect
    width, height = (longer, longer * aspect) if aspect <= 1 else (longer / aspect, longer)
    return Extent(width, height, draft.label if labelled else None)


def _placed(
    drafts: list[_Draft], sizes: list[Size], extents: list[Extent], points: tuple[Point, ...]
) -> tuple[SceneObject, ...]:
    return tuple(
        SceneObject(
            draft.shape,
            draft.color,
            size,
            draft.texture,
            draft.rgb,
            point.x,
            point.y,
            extent.width,
            extent.height,
            extent.label,
        )
        for draft, size, extent, point in zip(drafts, sizes, extents, points, strict=True)
    )


def _require_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InputError(f"{name} is 0 to 1; got {value}.")
