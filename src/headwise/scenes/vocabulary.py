"""Everything a scene can hold, as data: shapes, colours, sizes, textures, words, backgrounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

RGB = tuple[int, int, int]
"""Red, green and blue, 0 to 255 each."""

Shape = Literal[
    "circle",
    "square",
    "rectangle",
    "triangle",
    "star",
    "cross",
    "ring",
    "diamond",
    "pentagon",
    "heart",
]
Color = Literal[
    "red",
    "green",
    "blue",
    "yellow",
    "orange",
    "purple",
    "brown",
    "black",
    "gray",
    "white",
    "pink",
    "teal",
]
Size = Literal["small", "large"]
Texture = Literal["solid", "striped", "dotted", "outlined"]
Direction = Literal["left", "right", "above", "below"]
Attribute = Literal["size", "texture", "color", "shape"]
"""What an object is described by, in the order of English adjectives."""

SHAPES: tuple[Shape, ...] = get_args(Shape)
COLORS: tuple[Color, ...] = get_args(Color)
SIZES: tuple[Size, ...] = get_args(Size)
TEXTURES: tuple[Texture, ...] = get_args(Texture)
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
VALUES: Mapping[Attribute, tuple[str, ...]] = {
    "size": SIZES,
    "texture": TEXTURES,
    "color": COLORS,
    "shape": SHAPES,
}
"""The values of each attribute."""

PROTOTYPES: Mapping[Color, RGB] = {
    "red": (214, 32, 38),
    "green": (36, 148, 54),
    "blue": (36, 84, 214),
    "yellow": (250, 218, 40),
    "orange": (247, 132, 22),
    "purple": (140, 44, 160),
    "brown": (116, 68, 34),
    "black": (18, 18, 20),
    "gray": (126, 126, 128),
    "white": (250, 250, 250),
    "pink": (246, 140, 186),
    "teal": (0, 150, 154),
}
"""The colour that each name stands for."""

VIVID: Mapping[Color, RGB] = {
    **PROTOTYPES,
    "red": (250, 6, 6),
    "green": (8, 240, 12),
    "blue": (8, 8, 246),
    "yellow": (252, 244, 6),
    "orange": (254, 150, 4),
    "purple": (126, 6, 130),
    "brown": (160, 46, 40),
    "black": (6, 6, 6),
    "pink": (250, 108, 180),
    "teal": (6, 126, 126),
}
"""Another shade of each name: what drawing programs put under it, mostly pure primary colours."""


@dataclass(frozen=True, slots=True)
class Span:
    """A closed interval.

    Args:
        least: Its lower end.
        most: Its upper end.
    """

    least: float
    most: float


SPANS: Mapping[Size, Span] = {"small": Span(0.22, 0.25), "large": Span(0.36, 0.42)}
"""The longer side of an object of each size, as a share of the image."""

ASPECTS: Mapping[Shape, float] = {
    "circle": 1.0,
    "square": 1.0,
    "rectangle": 0.5,
    "triangle": 0.95,
    "star": 1.0,
    "cross": 1.0,
    "ring": 1.0,
    "diamond": 1.3,
    "pentagon": 1.0,
    "heart": 0.95,
}
"""Height over width of each shape; a rectangle may also stand upright."""

TEXTURES_OF: Mapping[Shape, tuple[Texture, ...]] = {
    **dict.fromkeys(SHAPES, TEXTURES),
    "ring": ("solid",),
    "star": ("solid", "striped", "outlined"),
}
"""The textures that a shape can have: some are too thin for others to be seen at 64 pixels."""

BACKGROUNDS: tuple[RGB, ...] = (
    (246, 246, 244),
    (250, 243, 224),
    (228, 232, 236),
    (222, 236, 250),
    (224, 242, 224),
    (250, 228, 232),
    (236, 228, 248),
    (253, 251, 222),
    (160, 200, 236),
    (206, 184, 146),
    (166, 200, 164),
    (190, 176, 226),
    (190, 192, 194),
    (160, 214, 200),
    (240, 196, 170),
    (24, 32, 72),
    (52, 54, 58),
    (24, 62, 40),
    (72, 22, 36),
    (70, 86, 108),
)
"""Eight light tones, seven of middle lightness, five dark ones.

Some of those of middle lightness stand apart from every named colour at once.
"""

LABELS: tuple[str, ...] = (
    *("BOOK", "BUS", "CAFE", "CAR", "CAT", "COIN", "DOG", "EXIT", "FISH", "HAT", "KEY", "MILK"),
    *("MOON", "OPEN", "SALE", "SHOP", "STOP", "SUN", "TAXI", "TEA", "TREE", "ZOO"),
    *("1", "2", "3", "4", "5", "6", "7", "8", "9"),
)
"""Labels that say nothing about the object they belong to."""

MOST_LETTERS = 6
"""The longest label that fits under an object of an image of 64 pixels."""

COLOR_LABELS: Mapping[str, Color] = {
    color.upper(): color for color in COLORS if len(color) <= MOST_LETTERS
}
"""Labels that name a colour."""

SHAPE_LABELS: Mapping[str, Shape] = {
    shape.upper(): shape for shape in SHAPES if len(shape) <= MOST_LETTERS
}
"""Labels that name a shape."""

USUAL_COLORS: Mapping[Shape, Color] = {"heart": "red", "star": "yellow"}
"""Colours that shapes usually have, whatever they have in a scene."""

PREPOSITIONS: Mapping[Direction, str] = {
    "left": "left of",
    "right": "right of",
    "above": "above",
    "below": "below",
}
"""How each direction reads between two nouns."""

OPPOSITES: Mapping[Direction, Direction] = {
    "left": "right",
    "right": "left",
    "above": "below",
    "below": "above",
}
"""The direction seen from the other object."""

NUMBERS: tuple[str, ...] = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
"""Numbers as words, by their value."""

THINGS: tuple[str, ...] = ("object", "thing")
"""Nouns for an object whose shape is not said."""

MOST_OBJECTS = 6
"""The most objects that a scene has room for."""
