"""Which rows a step trains on, and which the model is measured on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from headwise.scenes import Scene
from headwise.scenes.chance import coin
from training.embedded_vision.dialogues import Mix, exchanges, shot_task, single_questions
from training.embedded_vision.drawing import draw_scene, pixels_of, rows_of
from training.embedded_vision.packing import Packer, Row
from training.embedded_vision.slots import LineWords, lines_of
from training.embedded_vision.tower import Tower, normalised

HELD_OUT = 9_100
"""The first seed of held-out scenes; training never comes near it."""
_MOST_OBJECTS = 4
_MEASURED = Mix(
    questions=30, presence=4, judgements=4, graph=1.0, with_graph=1.0, short=0.0, listing=1.0
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A row and the pictures in it.

    Args:
        row: The row.
        scenes: Its pictures, in order.
    """

    row: Row
    scenes: tuple[Scene, ...]


def training_rows(packer: Packer, rng: np.random.Generator, count: int, mix: Mix) -> list[Shown]:
    """The rows of one step.

    Args:
        packer: Makes rows.
        rng: Where chance comes from.
        count: How many.
        mix: What is asked of a picture.

    Returns:
        Rows about one picture, and some with several.
    """
    return [
        _several_images(packer, rng) if coin(rng, mix.several) else _one_image(packer, rng, mix)
        for _ in range(count)
    ]


def measured_rows(packer: Packer, count: int, seed: int = HELD_OUT) -> list[Shown]:
    """Rows about held-out pictures of one to four objects.

    Args:
        packer: Makes rows.
        count: How many.
        seed: Of the first.

    Returns:
        The rows; every kind of question is in them.
    """
    found = []
    for number in range(count):
        rng = np.random.default_rng([HELD_OUT, seed + number])
        objects = 1 + number % _MOST_OBJECTS
        scene = draw_scene(rng, objects, objects)
        found.append(Shown(packer.about_one_image(exchanges(scene, rng, _MEASURED)), (scene,)))
    return found


Sight = Callable[[Sequence[Scene]], Tensor]
"""What the language model gets for pictures: `(pictures, tokens, width)`."""


def seen_by(tower: Tower) -> Sight:
    """The tower's tokens of drawn pictures."""

    def look(scenes: Sequence[Scene]) -> Tensor:
        pictures = np.stack([np.asarray(pixels_of(scene)) for scene in scenes])
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            tokens: Tensor = tower.tokens(normalised(torch.from_numpy(pictures))).float()
            return tokens

    return look


def told_in(words: LineWords, noise: float = 0.25) -> Sight:
    """The words that a perfect tower would say, blurred: language can be learned before sight.

    Args:
        words: The words.
        noise: The blur, as a share of a word's length.

    Returns:
        What gives the tokens, of the language model's width.
    """
    size = noise * float(words.tables["shape"].norm(dim=1).mean()) / words.mean.numel() ** 0.5

    def tell(scenes: Sequence[Scene]) -> Tensor:
        rows = np.stack([rows_of(scene) for scene in scenes])
        said = words.vectors(lines_of(rows))
        seed = int(rows[rows >= 0].sum() * 1e6) % 2**31
        blur = torch.randn(said.shape, generator=torch.Generator().manual_seed(seed))
        blurred: Tensor = said + size * blur
        return blurred

    return tell


def features(sight: Sight, shown: Sequence[Shown]) -> Tensor:
    """The tokens of all pictures of some rows, in order.

    Args:
        sight: What looks at the pictures.
        shown: The rows.

    Returns:
        `(pictures, tokens, width)`.
    """
    return sight([scene for part in shown for scene in part.scenes])


def _one_image(packer: Packer, rng: np.random.Generator, mix: Mix) -> Shown:
    objects = 1 + int(rng.choice(len(mix.counts), p=mix.counts))
    scene = draw_scene(rng, objects, objects)
    return Shown(packer.about_one_image(exchanges(scene, rng, mix)), (scene,))


def _several_images(packer: Packer, rng: np.random.Generator) -> Shown:
    """Two to five pictures: the same task for all of them, or a question about each."""
    count = int(rng.integers(2, 6))
    if coin(rng, 0.6):
        most = 1 if coin(rng, 0.75) else 3
        scenes = [draw_scene(rng, most) for _ in range(count)]
        _, asked, first = shot_task(scenes, rng)
    else:
        scenes = [draw_scene(rng, 3) for _ in range(min(count, 4))]
        asked, first = [single_questions(scene, rng) for scene in scenes], True
    pack = packer.completion if coin(rng, 0.3) else packer.turns
    return Shown(pack(asked, first), tuple(scenes))
