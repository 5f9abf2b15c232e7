"""How a picture is told to the language model: a line of words for each object, in reading order.

The 6 x 6 image tokens are lines of six words: size, texture, colour, shape, where it is, and its
label with how it lies to others. A language model reads words in a row from the first day; from one
token that is the sum of all of an object's words it learns slowly and badly (measured: after 900
steps questions of yes or no were still at chance).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headwise.scenes.vocabulary import COLORS, MOST_OBJECTS, SHAPES, SIZES, TEXTURES
from training.embedded_vision.drawing import (
    BOX,
    COLOR,
    LABEL,
    SHAPE,
    SIZE,
    TEXTURE,
    WORDS,
)
from training.embedded_vision.geometry import GRID, NO_DIRECTION, Floats, layout_of

COLUMN = {"size": 0, "texture": 1, "color": 2, "shape": 3, "place": 4, "label": 5}
"""The column of a line in which each field is told."""
_IDS = "abcdef"
_CODE = 0.5
_CODE_SEED = 7
_DIRECTION_WORDS = ("left", "right", "above", "below")


@dataclass(frozen=True, slots=True)
class Lines:
    """What the lines of a batch of pictures say; lines without an object have meaningless values.

    Args:
        filled: Which lines tell of an object, `(batch, lines)`.
        fields: Numbers of `size`, `texture`, `color`, `shape`, `label` and `link`, each
            `(batch, lines)`, -1 where unknown; and `directions`, `(batch, lines, lines)`.
        place: Where its centre is, `(batch, lines, 2)`, as shares of the picture.
    """

    filled: Tensor
    fields: dict[str, Tensor]
    place: Tensor


def lines_of(objects: Floats) -> Lines:
    """The lines of a batch.

    Args:
        objects: Its rows, `(batch, objects, columns)`, as `drawing.rows_of` gives them.

    Returns:
        The lines, in reading order.
    """
    layout = layout_of(objects[..., BOX])
    order = np.argsort(layout.rank, axis=1)

    def sorted_by_rank(values: Any) -> Tensor:
        index = order.reshape(*order.shape, *[1] * (values.ndim - 2))
        return torch.from_numpy(np.take_along_axis(values, index, axis=1))

    columns = {"shape": SHAPE, "color": COLOR, "size": SIZE, "texture": TEXTURE, "label": LABEL}
    fields = {name: sorted_by_rank(objects[..., column]).long() for name, column in columns.items()}
    fields["link"] = sorted_by_rank(layout.link)
    fields["directions"] = sorted_by_rank(layout.directions)
    filled = sorted_by_rank(layout.valid)
    return Lines(filled, fields, sorted_by_rank(np.ascontiguousarray(objects[..., :2])))


class LineWords:
    """The vectors that lines are made of: the language model's own embeddings of the words.

    Args:
        embeddings: The language model's word embeddings, `(vocabulary, width)`.
        tokenizer: Its tokenizer.
    """

    def __init__(self, embeddings: Tensor, tokenizer: Any) -> None:
        self._embeddings = embeddings.float()
        self._tokenizer = tokenizer
        self.mean = self._embeddings.mean(0)
        self.tables = {
            "size": self._rows(SIZES),
            "texture": self._rows(TEXTURES),
            "color": self._rows(COLORS),
            "shape": self._rows(SHAPES),
        }
        self.labels = torch.cat([self._row(",")[None], self._rows([w.lower() for w in WORDS])])
        self.ids = self._rows(_IDS)
        self.sides = self._rows(("left", "right", "top", "bottom"))
        self.directions = self._rows(_DIRECTION_WORDS)
        self.empty = self._row(".")
        random = torch.Generator().manual_seed(_CODE_SEED)
        size = self.tables["shape"].norm(dim=1).mean() * _CODE
        width = self.mean.numel()
        codes = torch.randn(MOST_OBJECTS * 4, width, generator=random) * size / width**0.5
        none = torch.zeros(MOST_OBJECTS, 1, width)
        self.codes = torch.cat([none, codes.view(MOST_OBJECTS, 4, width)], 1)

    def vectors(self, lines: Lines) -> Tensor:
        """What the image tokens should be.

        Args:
            lines: What they say.

        Returns:
            `(batch, GRID * GRID, width)`.
        """
        batch = lines.filled.shape[0]
        found = (self.mean + self.empty).repeat(batch, GRID, GRID, 1)
        for name, table in self.tables.items():
            known = (lines.fields[name] >= 0).float()[..., None]
            told = table[lines.fields[name].clamp_min(0)]
            # What can't be told is told as the mean of what it could be.
            found[:, :, COLUMN[name]] = self.mean + known * told + (1 - known) * table.mean(0)
        found[:, :, COLUMN["place"]] = self._places(lines)
        found[:, :, COLUMN["label"]] = self._relations(lines)
        blank = ~lines.filled[..., None, None]
        found = torch.where(blank, self.mean + self.empty, found)
        return found.view(batch, GRID * GRID, -1)

    def _places(self, lines: Lines) -> Tensor:
        left, right, top, bottom = self.sides
        x, y = lines.place[..., :1], lines.place[..., 1:]
        across, down = (1 - x) * left + x * right, (1 - y) * top + y * bottom
        told: Tensor = self.mean + across + down + self.ids
        return told

    def _relations(self, lines: Lines) -> Tensor:
        """The label, the direction from the object that the graph links it to, and from all."""
        link, directions = lines.fields["link"], lines.fields["directions"]
        linked = (link < MOST_OBJECTS)[..., None].float()
        anchor = link.clamp_max(MOST_OBJECTS - 1)
        toward = directions.gather(-1, anchor[..., None])[..., 0]
        word = self.directions[(toward - 1).clamp_min(0)] * (toward != NO_DIRECTION)[..., None]
        codes = torch.stack(
            [self.codes[rank][directions[..., rank]] for rank in range(MOST_OBJECTS)]
        ).sum(0)
        label = self.labels[lines.fields["label"].clamp_min(0)]
        told: Tensor = self.mean + label + linked * (word + self.ids[anchor]) + codes
        return told

    def _rows(self, words: Sequence[str]) -> Tensor:
        return torch.stack([self._row(word) for word in words])

    def _row(self, word: str) -> Tensor:
        """The centred embedding of a word as it stands within a sentence, of its first piece."""
        text = word if word in ",." else f" {word}"
        first = self._tokenizer(text, add_special_tokens=False)["input_ids"][0]
        return self._embeddings[first] - self.mean
