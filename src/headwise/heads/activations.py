"""Last-token outputs of attention heads for many conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from headwise.errors import ActivationError, InputError
from headwise.heads.index import HeadIndex, HeadSet
from headwise.heads.layout import HeadLayout


@dataclass(frozen=True, slots=True, eq=False)
class HeadVectors:
    """One vector a head for every head of a layout, such as the mean activations.

    Args:
        layout: Which heads.
        values: One float32 CPU tensor a layer of the layout, `(n_heads, head_dim)`.
    """

    layout: HeadLayout
    values: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.layout.layers):
            raise InputError(
                f"Expected one tensor for each of {len(self.layout.layers)} layers; got "
                f"{len(self.values)}."
            )
        for entry, value in zip(self.layout.layers, self.values, strict=True):
            if tuple(value.shape) != (entry.n_heads, entry.head_dim):
                raise InputError(
                    f"Vectors of layer {entry.layer} have shape {tuple(value.shape)}; expected "
                    f"({entry.n_heads}, {entry.head_dim})."
                )

    def vector(self, index: HeadIndex) -> Tensor:
        """The vector of one head, `(head_dim,)`."""
        self.layout.head_dim(index)
        numbers = [entry.layer for entry in self.layout.layers]
        return self.values[numbers.index(index.layer)][index.head]

    def minus(self, other: HeadVectors) -> HeadVectors:
        """This minus another set of vectors of the same layout."""
        if other.layout != self.layout:
            raise InputError("Only vectors of the same head layout can be subtracted.")
        return HeadVectors(
            self.layout, tuple(a - b for a, b in zip(self.values, other.values, strict=True))
        )


@dataclass(frozen=True, slots=True, eq=False)
class HeadActivations:
    """Last-token head outputs of `n` conversations: what `Engine.capture` returns.

    Ragged by layer, since some models have attention on one layer in four or two head sizes.

    Args:
        layout: The layers (and heads) that were captured.
        values: One float32 CPU tensor a layer of the layout, `(n, n_heads, head_dim)`.

    Raises:
        InputError: A tensor's shape does not fit the layout.
    """

    layout: HeadLayout
    values: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.layout.layers):
            raise InputError(
                f"Expected one tensor for each of {len(self.layout.layers)} layers; got "
                f"{len(self.values)}."
            )
        n = len(self)
        for entry, value in zip(self.layout.layers, self.values, strict=True):
            if tuple(value.shape) != (n, entry.n_heads, entry.head_dim):
                raise InputError(
                    f"Activations of layer {entry.layer} have shape {tuple(value.shape)}; expected "
                    f"({n}, {entry.n_heads}, {entry.head_dim})."
                )

    def __len__(self) -> int:
        return int(self.values[0].shape[0])

    def rows(self, indices: Sequence[int] | Tensor) -> HeadActivations:
        """The activations of some conversations, in the order given."""
        index = torch.as_tensor(indices, dtype=torch.long)
        return HeadActivations(self.layout, tuple(value[index] for value in self.values))

    def layer(self, number: int) -> Tensor:
        """One layer's activations, `(n, n_heads, head_dim)`."""
        self.layout.layer(number)
        numbers = [entry.layer for entry in self.layout.layers]
        return self.values[numbers.index(number)]

    def head(self, index: HeadIndex) -> Tensor:
        """One head's activations, `(n, head_dim)`."""
        self.layout.head_dim(index)
        return self.layer(index.layer)[:, index.head]

    def heads(self, heads: HeadSet) -> list[Tensor]:
        """The activations of each head of a set, in its order, each `(n, head_dim)`."""
        return [self.head(index) for index in heads]

    def mean(self) -> HeadVectors:
        """The mean over conversations: one vector a head.

        Raises:
            InputError: There are no conversations.
        """
        if len(self) == 0:
            raise InputError(
                "The mean of no activations is undefined; capture at least one example."
            )
        return HeadVectors(self.layout, tuple(value.mean(dim=0) for value in self.values))

    def stack(self) -> Tensor:
        """All layers as one tensor `(n, layers, heads, head_dim)`.

        Raises:
            InputError: Layers differ in heads or width.
        """
        if not self.layout.is_uniform:
            raise InputError(
                "Layers differ in head count or width, so they do not stack; use layer() or head()."
            )
        return torch.stack(self.values, dim=1)

    def check_finite(self, describe: str = "conversation") -> None:
        """Raises where any activation is NaN or infinite.

        Args:
            describe: What a row is called in the message.

        Raises:
            ActivationError: Names the first such row, layer and head.
        """
        for entry, value in zip(self.layout.layers, self.values, strict=True):
            bad = ~torch.isfinite(value)
            if bool(bad.any()):
                row, head, _ = (int(i) for i in bad.nonzero()[0])
                raise ActivationError(
                    f"The model gave NaN or infinite activations for {describe} {row} at layer "
                    f"{entry.layer}, head {head}. Try dtype='float32' or 'bfloat16' instead of "
                    "float16, and check the model's weights."
                )
