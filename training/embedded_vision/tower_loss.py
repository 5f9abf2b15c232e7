"""What the tower is taught, token by token, and how well it does it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from headwise.scenes.vocabulary import MOST_OBJECTS
from training.embedded_vision.drawing import BOX, COLOR, LABEL, SHAPE, SIZE, TEXTURE
from training.embedded_vision.geometry import CELLS, GRID, Floats, layout_of
from training.embedded_vision.tower import Tower
from training.embedded_vision.words import SoftWords

WEIGHTS = {
    "object": 2.0,
    "shape": 1.5,
    "color": 1.0,
    "size": 0.4,
    "texture": 0.6,
    "label": 0.3,
    "rank": 0.5,
    "link": 0.3,
    "directions": 1.0,
    "place": 2.0,
    "count": 0.3,
    "words": 1.0,
}
"""How much each part of the loss counts."""
_COLUMNS = {"shape": SHAPE, "color": COLOR, "size": SIZE, "texture": TEXTURE, "label": LABEL}


@dataclass(frozen=True, slots=True)
class Targets:
    """What is in each token of a batch.

    Args:
        tokens: The tokens that hold an object, as numbers within the flattened batch.
        fields: Numbers of what each of them holds, -1 where unknown.
        place: Where its centre is, `(objects, 2)`, as shares of the image.
        filled: Whether a token holds an object, `(batch, tokens)`.
        counts: The number of objects of each picture.
    """

    tokens: Tensor
    fields: dict[str, Tensor]
    place: Tensor
    filled: Tensor
    counts: Tensor


def targets_of(objects: Floats) -> Targets:
    """What a batch of pictures shows.

    Args:
        objects: Their rows, `(batch, objects, columns)`.

    Returns:
        The targets. Of two objects in one cell, only one is told.
    """
    layout = layout_of(objects[..., BOX])
    batch = objects.shape[0]
    picture, row = layout.valid.nonzero()
    tokens = torch.from_numpy(picture * CELLS + layout.cell[picture, row])
    fields = {
        name: torch.from_numpy(objects[picture, row, column]).long()
        for name, column in _COLUMNS.items()
    }
    for name in ("rank", "link", "directions"):
        fields[name] = torch.from_numpy(getattr(layout, name)[picture, row])
    filled = torch.zeros(batch * CELLS)
    filled[tokens] = 1
    return Targets(
        tokens,
        fields,
        torch.from_numpy(objects[picture, row, :2]),
        filled.view(batch, CELLS),
        torch.from_numpy(layout.valid.sum(1)),
    )


def losses(
    tower: Tower, joined: Tensor, targets: Targets, words: SoftWords
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Each part of the loss, and each measure of what is right.

    Args:
        tower: The tower.
        joined: Its tokens of a batch, `(batch, tokens, width)`.
        targets: What they should hold.
        words: The soft words.

    Returns:
        The losses, and shares of right answers.
    """
    said = tower.predictions(joined)
    flat = joined.flatten(0, 1)[targets.tokens]
    of_objects = {name: part.flatten(0, 1)[targets.tokens] for name, part in said.items()}
    filled = targets.filled
    loss = {
        "object": F.binary_cross_entropy_with_logits(said["object"][..., 0], filled),
        "place": F.smooth_l1_loss(GRID * of_objects["place"], GRID * targets.place),
    }
    right = {"object": ((said["object"][..., 0] > 0) == (filled > 0)).all(1).float().mean()}
    for name in ("shape", "color", "size", "texture", "label", "rank", "link"):
        loss[name], right[name] = _classified(of_objects[name], targets.fields[name])
    directions = of_objects["directions"].view(-1, MOST_OBJECTS, 5)
    loss["directions"], right["directions"] = _classified(
        directions.flatten(0, 1), targets.fields["directions"].flatten()
    )
    empty = filled == 0
    counts = (targets.counts - 1)[:, None].expand_as(filled)
    loss["count"], right["count"] = _classified(said["count"][empty], counts[empty])
    named = of_objects["shape"].argmax(-1) == targets.fields["shape"]
    colored = of_objects["color"].argmax(-1) == targets.fields["color"]
    right["shape and color"] = (named & colored).float().mean()
    loss["words"] = _distance(tower, joined, flat, targets, words)
    return loss, right


def total(parts: dict[str, Tensor]) -> Tensor:
    """The weighted sum of the parts of a loss."""
    return torch.stack([WEIGHTS[name] * value for name, value in parts.items()]).sum()


def _classified(logits: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    loss = F.cross_entropy(logits, wanted, ignore_index=-1)
    known = wanted >= 0
    return loss, (logits.argmax(-1) == wanted)[known].float().mean()


def _distance(
    tower: Tower, joined: Tensor, flat: Tensor, targets: Targets, words: SoftWords
) -> Tensor:
    """How far the connector's output is from soft words, as a share of their own length."""
    wanted = words.object_vectors(targets.fields, targets.place[:, 0], targets.place[:, 1])
    missed = ((tower.connector(flat) - wanted) ** 2).sum(-1) / (wanted**2).sum(-1)
    empty = targets.filled == 0
    counts = targets.counts[:, None].expand_as(targets.filled)[empty]
    blank = words.empty_vectors(counts)
    missed_blank = ((tower.connector(joined[empty]) - blank) ** 2).sum(-1) / (blank**2).sum(-1)
    distance: Tensor = missed.mean() + 0.3 * missed_blank.mean()
    return distance
