"""Between the stages: the connector by least squares, from what the tower sees to soft words.

Gradient descent leaves the connector with the mean of all colours where it should say which: what
tells words apart is a small part of their length. The best linear map has a closed form.
Run `python -m training.embedded_vision.fit_connector --help` from the root of the repository.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from headwise.scenes.vocabulary import COLORS, SHAPES
from training.embedded_vision.checkpoints import read_checkpoint, write_checkpoint
from training.embedded_vision.tower import Tower, normalised, vision_config
from training.embedded_vision.tower_loss import Targets, targets_of
from training.embedded_vision.train_tower import load_words
from training.embedded_vision.words import SoftWords

_AT_ONCE = 100
_PENALTY = 1e-3
# Of 36 tokens hardly one in ten holds an object, and these are what matters.
_EMPTY_SHARE = 0.15
# How much louder than a word's own length its difference from the other colours or shapes is.
_LOUDER = 2.0


def main() -> None:
    """Fits the connector and writes the tower with it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("results/embedded_vision"))
    parser.add_argument("--scenes", type=int, default=3000)
    parser.add_argument("--output", default="tower_fitted.safetensors")
    options = parser.parse_args()
    words = load_words()
    tower = Tower(vision_config(), words.mean.numel()).eval()
    step = read_checkpoint(options.folder / "tower.safetensors", tower)
    with np.load(options.folder / "shard1.npz") as arrays:
        images, objects = arrays["images"][: options.scenes], arrays["objects"][: options.scenes]
    square, cross = torch.zeros(768, 768), torch.zeros(768, words.mean.numel())
    for at in range(0, len(images), _AT_ONCE):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            joined = tower.tokens(normalised(torch.from_numpy(images[at : at + _AT_ONCE]))).float()
        targets = targets_of(objects[at : at + _AT_ONCE])
        told, wanted, weights = _pairs(tower, joined, targets, words)
        square += (told * weights).t() @ told
        cross += (told * weights).t() @ wanted
    penalty = _PENALTY * square.diagonal().mean() * torch.eye(len(square))
    with torch.no_grad():
        tower.connector.weight.copy_(torch.linalg.solve(square + penalty, cross).t())
    write_checkpoint(options.folder / options.output, tower, [], step)
    _report(tower, joined, targets, words)


def soft_words(tower: Tower, flat: Tensor, targets: Targets, words: SoftWords) -> Tensor:
    """What the tokens that hold an object should be.

    Along what tells the words of a kind apart, a token is to say what the tower's head says: then
    the likeliest of these words is the one that the head would choose.

    Args:
        tower: The tower.
        flat: Its tokens that hold an object, `(objects, width)`.
        targets: What they hold.
        words: The soft words.

    Returns:
        The vectors, `(objects, width of the language model)`.
    """
    found = words.mean.expand(len(flat), -1).clone()
    said = tower.predictions(flat)
    apart, scores = [], []
    for name, table in (
        *(("color", words.colors), ("shape", words.shapes)),
        *(("size", words.sizes), ("texture", words.textures)),
    ):
        found += table.mean(0)
        own = table - table.mean(0)
        score = said[name] - said[name].mean(-1, keepdim=True)
        apart.append(own)
        scores.append(score * _LOUDER * (own**2).sum(-1).mean() / score.max(-1).values.mean())
    found += torch.cat(scores, -1) @ torch.linalg.pinv(torch.cat(apart), rtol=1e-3).t()
    known = (targets.fields["rank"] >= 0).float()[:, None]
    found += words.ids[targets.fields["rank"].clamp_min(0)] * known
    left, right, top, bottom = words.sides
    x, y = targets.place[:, :1], targets.place[:, 1:]
    found += (1 - x) * left + x * right + (1 - y) * top + y * bottom
    return found


def _pairs(
    tower: Tower, joined: Tensor, targets: Targets, words: SoftWords
) -> tuple[Tensor, Tensor, Tensor]:
    flat, empty = joined.flatten(0, 1), targets.filled.flatten() == 0
    counts = targets.counts[:, None].expand_as(targets.filled).flatten()[empty]
    objects = flat[targets.tokens]
    told = torch.cat([objects, flat[empty]])
    with torch.no_grad():
        seen = soft_words(tower, objects, targets, words)
    wanted = torch.cat([seen, words.empty_vectors(counts)])
    weights = torch.ones(len(told), 1)
    weights[len(objects) :] = _EMPTY_SHARE
    return told, wanted, weights


def _report(tower: Tower, joined: Tensor, targets: Targets, words: SoftWords) -> None:
    """Prints how often the nearest colour and shape word is the right one."""
    with torch.no_grad():
        said = tower.connector(joined.flatten(0, 1)[targets.tokens])
        said = said - said.mean(0)
    for name, table, values in (
        ("color", words.colors, COLORS),
        ("shape", words.shapes, SHAPES),
    ):
        apart = table - table.mean(0)
        nearest = (said @ apart.t()).argmax(-1)
        right = (nearest == targets.fields[name]).float().mean()
        print(f"{name}: the nearest of {len(values)} words is right for {right:.3f}")


if __name__ == "__main__":
    main()
