"""`Scene`: what is drawn, as a value of which everything can be said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from headwise.errors import InputError
from headwise.scenes.backdrop import Background, Clutter
from headwise.scenes.color import check_rgb, name_of
from headwise.scenes.lettering import LETTER_HEIGHT, PIXEL, check_label, label_width
from headwise.scenes.vocabulary import (
    MOST_OBJECTS,
    RGB,
    SPANS,
    TEXTURES_OF,
    Color,
    Shape,
    Size,
    Texture,
)

SMALLEST, LARGEST = 64, 512
LEAST_CONTRAST = 26.0
"""The least distance in CIELAB of an object to what it stands on."""
MOST_OVERLAP = 0.05
"""The most of an object, with its label, that another may cover."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle, in shares of the image, y downwards.

    Args:
        left: Its left edge.
        top: Its upper edge.
        right: Its right edge.
        bottom: Its lower edge.
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Its area, as a share of the image."""
        return (self.right - self.left) * (self.bottom - self.top)

    def shared_with(self, other: Box) -> float:
        """The area that both boxes cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One shape of a scene, with the word that may stand under it.

    Args:
        shape: Its shape.
        color: The name of its colour.
        size: `"small"` or `"large"`.
        texture: How its area is filled.
        rgb: The very shade.
        x: Its centre from the left, as a share of the image.
        y: Its centre from the top, as a share of the image.
        width: Its extent from left to right, as a share of the image.
        height: Its extent from top to bottom, as a share of the image.
        label: A word in capitals under it.

    Raises:
        InputError: The shade is not clearly of that colour, the extent not of that size, the
            label cannot be written, the texture hides the shape, or a part is out of the image.
    """

    shape: Shape
    color: Color
    size: Size
    texture: Texture
    rgb: RGB
    x: float
    y: float
    width: float
    height: float
    label: str | None = None

    def __post_init__(self) -> None:
        self._check_names()
        check_rgb(self.rgb)
        if name_of(self.rgb) != self.color:
            raise InputError(
                f"The shade {self.rgb} is not clearly {self.color}; take one nearer to "
                f"headwise.scenes.PROTOTYPES[{self.color!r}]."
            )
        span, longer = SPANS[self.size], max(self.width, self.height)
        if not span.least - _ROUNDING <= longer <= span.most + _ROUNDING:
            raise InputError(
                f"The longer side of a {self.size} object is {span.least} to {span.most} of the "
                f"image; got {longer}."
            )
        if self.label is not None:
            check_label(self.label)
        edges = self.footprint
        if min(edges.left, edges.top) < 0 or max(edges.right, edges.bottom) > 1:
            raise InputError(f"A part of an object is out of the image: {edges}.")

    def _check_names(self) -> None:
        for name, allowed in (
            ("shape", Shape),
            ("color", Color),
            ("size", Size),
            ("texture", Texture),
        ):
            if getattr(self, name) not in get_args(allowed):
                raise InputError(
                    f"The {name} of an object is one of {get_args(allowed)}; got "
                    f"{getattr(self, name)!r}."
                )
        if self.texture not in TEXTURES_OF[self.shape]:
            raise InputError(
                f"A {self.texture} {self.shape} can't be told from others at 64 pixels; it is one "
                f"of {TEXTURES_OF[self.shape]}."
            )

    @property
    def box(self) -> Box:
        """The smallest box around the shape."""
        return footprint(self.x, self.y, self.width, self.height, None)

    @property
    def footprint(self) -> Box:
        """The smallest box around the shape and its label."""
        return footprint(self.x, self.y, self.width, self.height, self.label)


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawn scene: objects that can be told apart, on a background that they stand out from.

    Args:
        objects: One to `MOST_OBJECTS` objects, in no particular order.
        background: What they stand on.
        clutter: What else is in the picture.
        size: The side of the square image in pixels, 64 to 512.

    Raises:
        InputError: The number of objects or the size is out of range, two objects cover each
            other, or one hardly stands out from the background.
    """

    objects: tuple[SceneObject, ...]
    background: Background
    clutter: Clutter = field(default_factory=Clutter)
    size: int = SMALLEST

    def __post_init__(self) -> None:
        check_image_size(self.size)
        if not 1 <= len(self.objects) <= MOST_OBJECTS:
            raise InputError(
                f"A scene has 1 to {MOST_OBJECTS} objects; got {len(self.objects)}. Leave some out."
            )
        boxes = [thing.footprint for thing in self.objects]
        for number, box in enumerate(boxes):
            for other in boxes[:number]:
                if box.shared_with(other) > MOST_OVERLAP * min(box.area, other.area):
                    raise InputError(f"Two objects of a scene cover each other: {box} and {other}.")
        for thing in self.objects:
            contrast = self.background.contrast_to(thing.rgb)
            if contrast < LEAST_CONTRAST:
                raise InputError(
                    f"A {thing.color} object hardly stands out from the background: their distance "
                    f"in CIELAB is {contrast:.0f}, and {LEAST_CONTRAST:.0f} is the least. Choose "
                    "another background."
                )


def footprint(x: float, y: float, width: float, height: float, label: str | None) -> Box:
    """The smallest box around a shape and the label under it.

    Args:
        x: The shape's centre, from the left.
        y: The shape's centre, from the top.
        width: The shape's width.
        height: The shape's height.
        label: The label.

    Returns:
        The box, in shares of the image.
    """
    half, below = width / 2, height / 2
    if label is not None:
        half = max(half, label_width(label) / 2)
        # One pixel between shape and letters.
        below += PIXEL + LETTER_HEIGHT
    return Box(x - half, y - height / 2, x + half, y + below)


def check_image_size(size: int) -> None:
    """Checks the side of an image.

    Args:
        size: The side in pixels.

    Raises:
        InputError: It is out of range.
    """
    if not SMALLEST <= size <= LARGEST:
        raise InputError(
            f"The side of a scene is {SMALLEST} to {LARGEST} pixels; got {size}. Below that, "
            "shapes can't be told apart."
        )
