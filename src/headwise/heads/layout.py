"""How many heads a model has, layer by layer, and how wide they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headwise.errors import InputError
from headwise.heads.index import HeadIndex, HeadSet


@dataclass(frozen=True, slots=True)
class LayerHeads:
    """The heads of one layer.

    Args:
        layer: Decoder layer, counted from 0.
        n_heads: Query heads of the layer's softmax attention.
        head_dim: Width of one head's output, i.e. the output projection's input width over
            `n_heads`.
    """

    layer: int
    n_heads: int
    head_dim: int


@dataclass(frozen=True, slots=True)
class HeadLayout:
    """The heads of a model, ragged by layer; layers without softmax attention are left out.

    Args:
        layers: One entry a layer that has heads, ascending by layer.

    Raises:
        InputError: No layer, or layers out of order.
    """

    layers: tuple[LayerHeads, ...]

    def __post_init__(self) -> None:
        numbers = [entry.layer for entry in self.layers]
        if not numbers or numbers != sorted(set(numbers)):
            raise InputError(f"A HeadLayout needs ascending, distinct layers; got {numbers}.")

    def __iter__(self) -> Iterator[HeadIndex]:
        for entry in self.layers:
            for head in range(entry.n_heads):
                yield HeadIndex(entry.layer, head)

    @property
    def n_heads(self) -> int:
        """Heads in all layers together."""
        return sum(entry.n_heads for entry in self.layers)

    @property
    def is_uniform(self) -> bool:
        """Whether every layer has the same number of heads of the same width."""
        return len({(entry.n_heads, entry.head_dim) for entry in self.layers}) == 1

    def layer(self, number: int) -> LayerHeads:
        """The entry of one layer.

        Raises:
            InputError: The layer has no heads in this layout.
        """
        for entry in self.layers:
            if entry.layer == number:
                return entry
        known = ", ".join(str(entry.layer) for entry in self.layers)
        raise InputError(f"Layer {number} has no attention heads here; layers with heads: {known}.")

    def head_dim(self, index: HeadIndex) -> int:
        """Width of one head, checked to exist.

        Raises:
            InputError: There is no such head.
        """
        entry = self.layer(index.layer)
        if not 0 <= index.head < entry.n_heads:
            raise InputError(
                f"{index} does not exist: layer {index.layer} has {entry.n_heads} heads."
            )
        return entry.head_dim

    def all_heads(self) -> HeadSet:
        """Every head, in layer-then-head order, with score 0."""
        return HeadSet.of(self)

    def restricted_to(self, layers: tuple[int, ...]) -> HeadLayout:
        """The layout of some layers only.

        Raises:
            InputError: A layer has no heads in this layout.
        """
        return HeadLayout(tuple(self.layer(number) for number in sorted(set(layers))))
