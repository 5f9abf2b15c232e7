"""What is in a picture besides its objects: the background and faint clutter."""

from __future__ import annotations

from dataclasses import dataclass

from headwise.errors import InputError
from headwise.scenes.color import check_rgb, distance
from headwise.scenes.vocabulary import RGB

MOST_SHADE = 18
MOST_NOISE = 8


@dataclass(frozen=True, slots=True)
class Background:
    """What the objects stand on: one colour, or a gradient between two.

    Args:
        rgb: The colour at the beginning.
        rgb_end: The colour at the end.
        angle: Where the gradient runs, in degrees: 0 to the right, 90 downwards.

    Raises:
        InputError: A colour is none.
    """

    rgb: RGB
    rgb_end: RGB
    angle: float = 0.0

    def __post_init__(self) -> None:
        check_rgb(self.rgb)
        check_rgb(self.rgb_end)

    @classmethod
    def plain(cls, rgb: RGB) -> Background:
        """A background of one colour."""
        return cls(rgb, rgb)

    def contrast_to(self, rgb: RGB) -> float:
        """The distance in CIELAB of a colour to the nearer end of the background."""
        if self.rgb == self.rgb_end:
            return distance(rgb, self.rgb)
        return min(distance(rgb, self.rgb), distance(rgb, self.rgb_end))


@dataclass(frozen=True, slots=True)
class Line:
    """A faint line behind the objects; coordinates are shares of the image.

    Args:
        x: Its beginning, from the left.
        y: Its beginning, from the top.
        x_end: Its end, from the left.
        y_end: Its end, from the top.
        shade: How much lighter (or darker, below 0) than the background it is.

    Raises:
        InputError: It is not faint.
    """

    x: float
    y: float
    x_end: float
    y_end: float
    shade: int

    def __post_init__(self) -> None:
        _require_faint(self.shade)


@dataclass(frozen=True, slots=True)
class Dot:
    """A faint dot behind the objects; coordinates are shares of the image.

    Args:
        x: Its centre, from the left.
        y: Its centre, from the top.
        radius: Its radius.
        shade: How much lighter (or darker, below 0) than the background it is.

    Raises:
        InputError: It is not faint.
    """

    x: float
    y: float
    radius: float
    shade: int

    def __post_init__(self) -> None:
        _require_faint(self.shade)


@dataclass(frozen=True, slots=True)
class Clutter:
    """What is in the picture and is no object.

    Args:
        lines: Faint lines behind the objects.
        dots: Faint dots behind the objects.
        noise: The most that noise changes a channel of a pixel, of 255; 0 for none.
        noise_seed: Where the noise comes from.

    Raises:
        InputError: The noise is negative or strong enough to hide something.
    """

    lines: tuple[Line, ...] = ()
    dots: tuple[Dot, ...] = ()
    noise: int = 0
    noise_seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= MOST_NOISE:
            raise InputError(f"Noise is 0 to {MOST_NOISE}; got {self.noise}.")


def _require_faint(shade: int) -> None:
    if abs(shade) > MOST_SHADE:
        raise InputError(
            f"Clutter is at most {MOST_SHADE} lighter or darker than the background; got {shade}."
        )
