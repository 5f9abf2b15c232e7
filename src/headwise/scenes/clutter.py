"""Drawing backgrounds and clutter by chance: faint, and never like an object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headwise.scenes.backdrop import MOST_NOISE, MOST_SHADE, Background, Clutter, Dot, Line
from headwise.scenes.chance import between, coin, pick
from headwise.scenes.color import shaded, to_lab
from headwise.scenes.scene import LEAST_CONTRAST
from headwise.scenes.vocabulary import BACKGROUNDS, RGB

_JITTER = 4
_LEAST_SHADE = 6
_MOST_LINES, _MOST_DOTS = 4, 12
_LEAST_NOISE = 2


def draw_background(colors: Sequence[RGB], gradient: float, rng: np.random.Generator) -> Background:
    """A background that every object stands out from, rather a light one.

    Args:
        colors: The objects' colours.
        gradient: The probability of a gradient.
        rng: Where chance comes from.

    Returns:
        The background.
    """
    apart = [tone for tone in BACKGROUNDS if _stands_apart(Background.plain(tone), colors)]
    tone = max(pick(rng, apart), pick(rng, apart), key=lambda rgb: to_lab(rgb)[0])
    begin = shaded(tone, round(between(rng, -_JITTER, _JITTER)))
    end = shaded(tone, _draw_shade(rng)) if coin(rng, gradient) else begin
    drawn = Background(begin, end, between(rng, 0, 360))
    return drawn if _stands_apart(drawn, colors) else Background.plain(tone)


def draw_clutter(probability: float, rng: np.random.Generator) -> Clutter:
    """Lines, dots and noise, each with the same probability.

    Args:
        probability: Of each.
        rng: Where chance comes from.

    Returns:
        The clutter.
    """
    lines = _count(rng, _MOST_LINES) if coin(rng, probability) else 0
    dots = _count(rng, _MOST_DOTS) if coin(rng, probability) else 0
    return Clutter(
        lines=tuple(_draw_line(rng) for _ in range(lines)),
        dots=tuple(_draw_dot(rng) for _ in range(dots)),
        noise=round(between(rng, _LEAST_NOISE, MOST_NOISE)) if coin(rng, probability) else 0,
        noise_seed=int(rng.integers(2**31)),
    )


def _stands_apart(background: Background, colors: Sequence[RGB]) -> bool:
    return all(background.contrast_to(rgb) >= LEAST_CONTRAST for rgb in colors)


def _count(rng: np.random.Generator, most: int) -> int:
    return 1 + int(rng.integers(most))


def _draw_shade(rng: np.random.Generator) -> int:
    shade = round(between(rng, _LEAST_SHADE, MOST_SHADE))
    return shade if coin(rng) else -shade


def _draw_line(rng: np.random.Generator) -> Line:
    x, y, x_end, y_end = (float(share) for share in rng.random(4))
    return Line(x, y, x_end, y_end, _draw_shade(rng))


def _draw_dot(rng: np.random.Generator) -> Dot:
    x, y = (float(share) for share in rng.random(2))
    return Dot(x, y, between(rng, 0.005, 0.02), _draw_shade(rng))
