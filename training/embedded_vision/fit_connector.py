"""Between the stages: the connector by least squares, from what the tower sees to words.

The best linear map has a closed form, which gradient descent does not reach in the time that there
is. Run `python -m training.embedded_vision.fit_connector --help` from the root of the repository.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.embedded_vision.checkpoints import read_checkpoint, write_checkpoint
from training.embedded_vision.geometry import GRID
from training.embedded_vision.slots import COLUMN, Lines, LineWords, lines_of
from training.embedded_vision.tower import Tower, normalised, vision_config
from training.embedded_vision.train_tower import load_words

_AT_ONCE = 100
_PENALTY = 1e-4
# Most lines tell of no object, and all say the same.
_EMPTY_SHARE = 0.1


def main() -> None:
    """Fits the connector and writes the tower with it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("results/embedded_vision"))
    parser.add_argument("--tower", default="tower.safetensors")
    parser.add_argument("--scenes", type=int, default=4000)
    parser.add_argument("--output", default="tower_fitted.safetensors")
    options = parser.parse_args()
    words = load_words()
    tower = Tower(vision_config(), words.mean.numel()).eval()
    step = read_checkpoint(options.folder / options.tower, tower)
    width = tower.connector.in_features
    square, cross = torch.zeros(width, width), torch.zeros(width, words.mean.numel())
    with np.load(options.folder / "shard1.npz") as arrays:
        images, objects = arrays["images"][: options.scenes], arrays["objects"][: options.scenes]
    for at in range(0, len(images), _AT_ONCE):
        joined, lines = _seen(tower, images[at : at + _AT_ONCE], objects[at : at + _AT_ONCE])
        told = lines.filled[..., None].expand(-1, -1, GRID).flatten(1)
        weights = torch.where(told, 1.0, _EMPTY_SHARE).flatten()[:, None]
        flat, wanted = joined.flatten(0, 1), words.vectors(lines).flatten(0, 1)
        square += (flat * weights).t() @ flat
        cross += (flat * weights).t() @ wanted
    penalty = _PENALTY * square.diagonal().mean() * torch.eye(len(square))
    with torch.no_grad():
        tower.connector.weight.copy_(torch.linalg.solve(square + penalty, cross).t())
    write_checkpoint(options.folder / options.output, tower, [], step)
    with np.load(options.folder / "held.npz") as arrays:
        report(tower, *_seen(tower, arrays["images"], arrays["objects"]), words)


def report(tower: Tower, joined: Tensor, lines: Lines, words: LineWords) -> None:
    """Prints how often the nearest word is the right one, for each column of words."""
    with torch.no_grad():
        said = tower.connector(joined).unflatten(1, (GRID, GRID)) - words.mean
    for name, table in words.tables.items():
        own, wanted = said[:, :, COLUMN[name]], lines.fields[name]
        known = lines.filled & (wanted >= 0)
        nearest = torch.cdist(own, table.expand(len(own), -1, -1)).argmin(-1)
        print(f"{name}: the nearest of {len(table)} words is right for ", end="")
        print(f"{(nearest == wanted)[known].float().mean():.3f}", flush=True)


def _seen(tower: Tower, images: np.ndarray, objects: np.ndarray) -> tuple[Tensor, Lines]:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        joined = tower.tokens(normalised(torch.from_numpy(images))).float()
    return joined, lines_of(objects)


if __name__ == "__main__":
    main()
