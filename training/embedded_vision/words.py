"""Soft words: what a cell of the image should look like to the language model before it is trained.

An object's token starts as the sum of the embeddings of the words that describe it (centred, around
their mean), so that the language model meets words that it knows and not an unknown code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from headwise.scenes.vocabulary import COLORS, MOST_OBJECTS, SHAPES, SIZES, TEXTURES
from training.embedded_vision.drawing import WORDS

_IDS = "abcdef"
_NUMBERS = ("one", "two", "three", "four", "five", "six")
# What has no word of its own (which object lies where) gets a vector of this share of a word's.
_CODE = 0.5
_CODE_SEED = 7


class SoftWords:
    """The vectors that a token is the sum of.

    Args:
        embeddings: The language model's word embeddings, `(vocabulary, width)`.
        tokenizer: Its tokenizer.
    """

    def __init__(self, embeddings: Tensor, tokenizer: Any) -> None:
        self._embeddings = embeddings.float()
        self._tokenizer = tokenizer
        self.mean = self._embeddings.mean(0)
        self.shapes = self._rows(SHAPES)
        self.colors = self._rows(COLORS)
        self.sizes = self._rows(SIZES)
        # Solid is what goes without saying: nothing is added for it.
        self.textures = self._rows(TEXTURES) * torch.tensor([[0.0], [1.0], [1.0], [1.0]])
        self.ids = self._rows(tuple(_IDS))
        self.counts = self._rows(_NUMBERS)
        self.labels = torch.cat([torch.zeros(1, self.mean.numel()), self._rows(WORDS)])
        self.sides = self._rows(("left", "right", "top", "bottom"))
        self.empty = self._rows(("empty",))[0]
        random = torch.Generator().manual_seed(_CODE_SEED)
        size = self.shapes.norm(dim=1).mean() * _CODE
        width = self.mean.numel()
        codes = torch.randn(MOST_OBJECTS * 6, width, generator=random) * size / width**0.5
        self.directions = torch.cat(
            [torch.zeros(MOST_OBJECTS, 1, width), codes[: 4 * MOST_OBJECTS].view(-1, 4, width)], 1
        )
        self.links = torch.cat([codes[4 * MOST_OBJECTS : 5 * MOST_OBJECTS], torch.zeros(1, width)])

    def object_vectors(self, fields: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        """The vectors of tokens that hold an object.

        Args:
            fields: Numbers of `shape`, `color`, `size`, `texture`, `label`, `rank`, `link`, each
                `(objects,)`, -1 where unknown; and `directions`, `(objects, ranks)`.
            x: Centres from the left, `(objects,)`.
            y: Centres from the top.

        Returns:
            The vectors, `(objects, width)`.
        """
        total = self.mean.expand(x.shape[0], -1).clone()
        for name, table in (
            *(("shape", self.shapes), ("color", self.colors), ("size", self.sizes)),
            *(("texture", self.textures), ("label", self.labels)),
            *(("rank", self.ids), ("link", self.links)),
        ):
            known = (fields[name] >= 0).float()[:, None]
            total += table[fields[name].clamp_min(0)] * known
        for rank in range(MOST_OBJECTS):
            total += self.directions[rank][fields["directions"][:, rank]]
        left, right, top, bottom = self.sides
        across, down = x[:, None], y[:, None]
        total += (1 - across) * left + across * right + (1 - down) * top + down * bottom
        return total

    def empty_vectors(self, counts: Tensor) -> Tensor:
        """The vectors of tokens that hold none: they tell how many objects there are.

        Args:
            counts: The number of objects, `(tokens,)`.

        Returns:
            The vectors, `(tokens, width)`.
        """
        vectors: Tensor = self.mean + self.empty + self.counts[counts - 1]
        return vectors

    def _rows(self, words: Sequence[str]) -> Tensor:
        return torch.stack([self._row(word) for word in words])

    def _row(self, word: str) -> Tensor:
        """The centred embedding of a word: with and without a space before, its pieces fading."""
        found = torch.zeros_like(self.mean)
        for text in (word, f" {word}"):
            ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            for place, token in enumerate(ids):
                found += 0.5 ** (place + 1) * (self._embeddings[token] - self.mean)
        return found
