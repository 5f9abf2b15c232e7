"""Forward hooks that read and edit head outputs; installed on entry, gone on exit, come what may.

Hooks never write in place: an edit returns a new tensor, so that neither the user's model nor a
cache that shares memory is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headwise.engines.transformers.locate import LocatedLayer
from headwise.heads import HeadVectors, Steering

PreHook = Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...] | None]


class StopForward(Exception):  # noqa: N818 - a signal, not an error
    """Ends a forward pass once the deepest layer needed has been read."""


@contextmanager
def installed(hooks: Mapping[nn.Module, PreHook]) -> Iterator[None]:
    """Installs forward pre-hooks for the duration of the block.

    Args:
        hooks: One hook a module.

    Yields:
        Nothing.
    """
    with ExitStack() as stack:
        for module, hook in hooks.items():
            handle = module.register_forward_pre_hook(hook)
            stack.callback(handle.remove)
        yield


@dataclass(frozen=True, slots=True)
class TokenPositions:
    """The positions of a batch that are read or edited.

    Args:
        rows: `(k,)` int64 row numbers.
        columns: `(k,)` int64 token positions within the rows.
    """

    rows: Tensor
    columns: Tensor

    def to(self, device: torch.device) -> TokenPositions:
        """The same positions on a device."""
        return TokenPositions(self.rows.to(device), self.columns.to(device))


class HeadReader:
    """Collects head outputs at given positions of one batch; the pass ends at the last layer read.

    Args:
        located: The layers to read, ascending.
    """

    def __init__(self, located: tuple[LocatedLayer, ...]) -> None:
        self._located = located
        self._stop_at = located[-1].layer
        self._found: dict[int, Tensor] = {}
        self._n_positions = 0

    def hooks(self, positions: TokenPositions) -> dict[nn.Module, PreHook]:
        """Hooks that read one batch at these positions."""
        self._n_positions = len(positions.rows)
        return {entry.projection: self._hook(entry.layer, positions) for entry in self._located}

    def _hook(self, layer: int, positions: TokenPositions) -> PreHook:
        def hook(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            inputs = args[0]
            at = positions.to(inputs.device)
            self._found[layer] = inputs[at.rows, at.columns]
            if layer == self._stop_at:
                raise StopForward

        return hook

    def _read(self, entry: LocatedLayer) -> Tensor:
        if entry.layer not in self._found and entry.reads_pictures:
            # Where there is no picture the model passes the layer by: its heads add nothing.
            return torch.zeros(self._n_positions, entry.n_heads * entry.head_dim)
        return self._found[entry.layer].float()

    def collect(self) -> list[Tensor]:
        """What was read: a float32 CPU tensor `(k, n_heads, head_dim)` a layer; then forgotten."""
        # One transfer a batch: layers are joined on the device first.
        read = [self._read(entry) for entry in self._located]
        device = read[-1].device
        joined = torch.cat([part.to(device) for part in read], dim=1).cpu()
        self._found.clear()
        pieces = joined.split([entry.n_heads * entry.head_dim for entry in self._located], dim=1)
        return [
            piece.reshape(len(joined), entry.n_heads, entry.head_dim).contiguous()
            for piece, entry in zip(pieces, self._located, strict=True)
        ]


def steering_hooks(
    steering: Steering, located: tuple[LocatedLayer, ...], positions: TokenPositions
) -> dict[nn.Module, PreHook]:
    """Hooks that steer the given positions of a batch.

    Args:
        steering: What to put where.
        located: The model's layers.
        positions: Which tokens of which rows.

    Returns:
        One hook for each layer that is steered.
    """
    layers = {entry.layer: entry for entry in located}
    return {
        layers[number].projection: _steer_hook(steering, layers[number], heads, vectors, positions)
        for number, (heads, vectors) in steering.by_layer().items()
    }


def one_after_another(first: PreHook, second: PreHook) -> PreHook:
    """A hook that does what two do; each may give a module other arguments."""

    def hook(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        changed = first(module, args)
        return second(module, args if changed is None else changed) or changed

    return hook


def _steer_hook(
    steering: Steering,
    entry: LocatedLayer,
    heads: Tensor,
    vectors: Tensor,
    positions: TokenPositions,
) -> PreHook:
    def hook(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        inputs = args[0]
        at = positions.to(inputs.device)
        put = vectors.to(inputs.device, inputs.dtype)
        edited = inputs.clone()
        by_head = edited.view(*inputs.shape[:-1], entry.n_heads, entry.head_dim)
        where = (at.rows[:, None], at.columns[:, None], heads.to(inputs.device)[None, :])
        if steering.operation == "replace":
            by_head[where] = put.expand(len(at.rows), -1, -1)
        else:
            by_head[where] = by_head[where] + steering.scale * put
        return (edited, *args[1:])

    return hook


def mask_hooks(
    vectors: HeadVectors, located: tuple[LocatedLayer, ...], masks: Tensor
) -> dict[nn.Module, PreHook]:
    """Hooks that replace, at every token, the heads of that token's own mask.

    Args:
        vectors: A vector a head for every head of the model.
        located: The model's layers.
        masks: `(rows, tokens, H)` bool, `H` heads in layout order.

    Returns:
        One hook for each layer in which some mask has a head.
    """
    hooks: dict[nn.Module, PreHook] = {}
    start = 0
    for entry, layer_vectors in zip(located, vectors.values, strict=True):
        mask = masks[..., start : start + entry.n_heads]
        start += entry.n_heads
        if bool(mask.any()):
            hooks[entry.projection] = _mask_hook(entry, layer_vectors, mask)
    return hooks


def _mask_hook(entry: LocatedLayer, vectors: Tensor, mask: Tensor) -> PreHook:
    def hook(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        inputs = args[0]
        by_head = inputs.view(*inputs.shape[:-1], entry.n_heads, entry.head_dim)
        put = vectors.to(inputs.device, inputs.dtype)
        edited = torch.where(mask.to(inputs.device)[..., None], put, by_head)
        return (edited.reshape_as(inputs), *args[1:])

    return hook
