"""What the tower is taught, line by line, and how well it does it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from headwise.scenes.vocabulary import MOST_OBJECTS
from training.embedded_vision.geometry import GRID
from training.embedded_vision.slots import COLUMN, Lines, LineWords
from training.embedded_vision.tower import Tower

WEIGHTS = {
    "filled": 2.0,
    "shape": 1.5,
    "color": 1.0,
    "size": 0.4,
    "texture": 0.6,
    "label": 0.3,
    "link": 0.3,
    "directions": 1.0,
    "place": 2.0,
    "words": 1.0,
}
"""How much each part of the loss counts."""


def losses(
    tower: Tower, joined: Tensor, lines: Lines, words: LineWords
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Each part of the loss, and each measure of what is right.

    Args:
        tower: The tower.
        joined: Its tokens of a batch, `(batch, tokens, width)`.
        lines: What they should tell.
        words: The words that they should be.

    Returns:
        The losses, and shares of right answers.
    """
    batch = len(joined)
    said = {
        name: part.view(batch, GRID, GRID, -1) for name, part in tower.predictions(joined).items()
    }
    filled = lines.filled
    told = said["filled"][..., 0]
    wanted = filled[..., None].expand_as(told)
    loss = {"filled": F.binary_cross_entropy_with_logits(told, wanted.float())}
    right = {"filled": ((told > 0) == wanted).flatten(1).all(1).float().mean()}
    place = said["place"][:, :, COLUMN["place"]]
    loss["place"] = F.smooth_l1_loss(GRID * place[filled], GRID * lines.place[filled])
    for name in ("shape", "color", "size", "texture", "label", "link"):
        own = said[name][:, :, COLUMN.get(name, COLUMN["label"])][filled]
        loss[name], right[name] = _classified(own, lines.fields[name][filled])
    directions = said["directions"][:, :, COLUMN["label"]][filled].view(-1, MOST_OBJECTS, 5)
    loss["directions"], right["directions"] = _classified(
        directions.flatten(0, 1), lines.fields["directions"][filled].flatten()
    )
    named = said["shape"][:, :, COLUMN["shape"]].argmax(-1) == lines.fields["shape"]
    colored = said["color"][:, :, COLUMN["color"]].argmax(-1) == lines.fields["color"]
    right["shape and color"] = (named & colored)[filled].float().mean()
    loss["words"] = _distance(tower, joined, lines, words)
    return loss, right


def total(parts: dict[str, Tensor]) -> Tensor:
    """The weighted sum of the parts of a loss."""
    return torch.stack([WEIGHTS[name] * value for name, value in parts.items()]).sum()


def _classified(logits: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    loss = F.cross_entropy(logits, wanted, ignore_index=-1)
    known = wanted >= 0
    return loss, (logits.argmax(-1) == wanted)[known].float().mean()


def _distance(tower: Tower, joined: Tensor, lines: Lines, words: LineWords) -> Tensor:
    """How far the connector's output is from the words, as a share of a word's own length."""
    wanted = words.vectors(lines)
    length = words.tables["shape"].pow(2).sum(-1).mean()
    missed = (tower.connector(joined) - wanted).pow(2).sum(-1) / length
    told = lines.filled[..., None].expand(-1, -1, GRID).flatten(1)
    distance: Tensor = missed[told].mean() + 0.1 * missed[~told].mean()
    return distance
