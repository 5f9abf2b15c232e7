"""What a drawing of a scene graph is made of, before it is an SVG or a PNG."""

from __future__ import annotations

from dataclasses import dataclass

from headwise.content import Image

FONT_SIZE = 13
LINE_HEIGHT = 20
_CHARACTER_WIDTH = 7.2
_MOST_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line with a head at its end.

    Args:
        start: `(x, y)` in pixels.
        end: `(x, y)` in pixels.
        color: As `#rrggbb`.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    color: str


@dataclass(frozen=True, slots=True)
class Outline:
    """A box that is not filled.

    Args:
        left: Its left side, in pixels.
        top: Its upper side.
        right: Its right side.
        bottom: Its lower side.
        color: As `#rrggbb`.
    """

    left: float
    top: float
    right: float
    bottom: float
    color: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text on a ground of its own.

    Args:
        x: Its middle, in pixels.
        y: Its middle.
        text: One line.
        color: Of the text, as `#rrggbb`.
        ground: Of what is behind it, as `#rrggbb`.
    """

    x: float
    y: float
    text: str
    color: str
    ground: str

    @property
    def width(self) -> float:
        """How wide it is, about, in pixels."""
        return len(self.text) * _CHARACTER_WIDTH + 10


@dataclass(frozen=True, slots=True)
class Sheet:
    """A drawing.

    Args:
        width: In pixels.
        height: In pixels.
        marks: What is on it, the lowest first.
        image: What is under it, at the upper left.
        image_size: `(width, height)` at which the image is shown, in pixels.
    """

    width: int
    height: int
    marks: tuple[Arrow | Outline | Label, ...]
    image: Image | None = None
    image_size: tuple[int, int] = (0, 0)


def one_line(text: str) -> str:
    """A text as a label shows it: on one line, of printable characters, and not endless."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= _MOST_CHARACTERS else plain[: _MOST_CHARACTERS - 1] + "…"
