"""Keys and values of prefixes: run once, handed out without copying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from headwise.engines.transformers.grouped_attention import grouped_sdpa
from headwise.engines.transformers.pictures import true_ids
from headwise.engines.transformers.sight import Sight
from headwise.errors import EngineError


@dataclass(frozen=True, slots=True, eq=False)
class PrefixStates:
    """Keys and values of one prefix, or of several padded on the right to one length.

    Args:
        layers: `(keys, values)` a layer, each `(rows, kv_heads, length + room, head_dim)`.
        length: Tokens, the padding of shorter ones counted. What lies behind them is room for
            tokens that follow; a step overwrites it.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    length: int

    @property
    def n_bytes(self) -> int:
        """Memory they take, the room included."""
        return sum(t.numel() * t.element_size() for pair in self.layers for t in pair)

    @property
    def room(self) -> int:
        """Tokens that fit behind the prefix."""
        return self.layers[0][0].shape[2] - self.length

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """Where each layer is."""
        return tuple(keys.device for keys, _ in self.layers)

    def on(self, devices: Sequence[torch.device]) -> PrefixStates:
        """The same states with each layer on a device."""
        moved = (
            (keys.to(device), values.to(device))
            for (keys, values), device in zip(self.layers, devices, strict=True)
        )
        return PrefixStates(tuple(moved), self.length)

    def with_room(self, room: int) -> PrefixStates:
        """The same states, copied to where so many tokens fit behind them if they do not yet."""
        return self if self.room >= room else side_by_side([self], room)

    def expanded_cache(self, rows: int) -> DynamicCache:
        """A cache that begins with this prefix for each of some rows.

        The prefix itself is expanded, not copied, and is never written to: a cache layer grows by
        making new tensors. Every layer is a plain one, also where the model slides a window: its
        mask then looks back over the window by itself.
        """
        data = [
            tuple(t[:, :, : self.length].expand(rows, -1, -1, -1) for t in pair)
            for pair in self.layers
        ]
        return DynamicCache(ddp_cache_data=data)

    def cache_on_left(self, pads: Sequence[int], columns: int) -> DynamicCache:
        """A cache that holds the first columns of rows which are padded on the left.

        Args:
            pads: Columns of padding before each row; behind them it begins with this prefix.
            columns: How many there are, at most the prefix's length behind the least padding.

        Returns:
            A cache whose padding is zeros: a hidden token must still be finite.
        """
        if not any(pads):
            return PrefixStates(self.layers, columns).expanded_cache(len(pads))
        data = []
        for pair in self.layers:
            rows = [t.new_zeros(len(pads), t.shape[1], columns, t.shape[3]) for t in pair]
            for row, pad in enumerate(pads):
                for memory, one in zip(rows, pair, strict=True):
                    memory[row, :, pad:] = one[0, :, : max(0, columns - pad)]
            data.append(tuple(rows))
        return DynamicCache(ddp_cache_data=data)

    def tail_cache(self) -> DynamicCache:
        """A cache that writes what follows into the room behind the prefix, so copies nothing.

        One such cache is in use at a time: the next one writes to the same place.
        """
        cache = DynamicCache()
        cache.layers = [_TailLayer(keys, values, self.length) for keys, values in self.layers]
        return cache


class _TailLayer(DynamicLayer):
    """A cache layer that writes into memory kept free behind its prefix."""

    def __init__(self, keys: Tensor, values: Tensor, length: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._memory = keys, values
        self.dtype, self.device = keys.dtype, keys.device
        self.keys, self.values = keys[:, :, :length], values[:, :, :length]
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Appends; all keys and values so far."""
        keys, values = self._memory
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        keys[:, :, start:end] = key_states
        values[:, :, start:end] = value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values


def side_by_side(prefixes: Sequence[PrefixStates], room: int) -> PrefixStates:
    """Prefixes as the rows of one batch, padded on the right, with room behind the longest.

    Args:
        prefixes: One row each.
        room: Tokens that must fit behind them.

    Returns:
        New memory, padding and room filled with zeros: a hidden token must still be finite.
    """
    longest = max(prefix.length for prefix in prefixes)
    layers = []
    for pairs in zip(*(prefix.layers for prefix in prefixes), strict=True):
        joined = []
        for which in (0, 1):
            _, kv_heads, _, width = pairs[0][which].shape
            memory = pairs[0][which].new_zeros(len(prefixes), kv_heads, longest + room, width)
            for row, (prefix, pair) in enumerate(zip(prefixes, pairs, strict=True)):
                memory[row, :, : prefix.length] = pair[which][0, :, : prefix.length]
            joined.append(memory)
        layers.append((joined[0], joined[1]))
    return PrefixStates(tuple(layers), longest)


def supports_prefixes(model: PreTrainedModel) -> bool:
    """Whether a model's past is nothing but keys and values, so that it can be shared.

    Recurrent layers (linear attention, Mamba) carry a state that cannot.
    """
    layers = DynamicCache(config=model.config).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


@torch.no_grad()
def run_prefix(
    model: PreTrainedModel,
    ids: Sequence[int],
    sight: Sight | None = None,
    behind: PrefixStates | None = None,
) -> PrefixStates:
    """Runs a prefix through the model once.

    Args:
        model: The model.
        ids: The prefix, one token at least.
        sight: How the model is shown pictures, where it can see.
        behind: The states of a beginning of it that was run before.

    Returns:
        Its keys and values, with no room behind them.
    """
    n_before = 0 if behind is None else behind.length
    before, rest = ids[:n_before], ids[n_before:]
    input_ids = torch.tensor([true_ids(rest)], device=model.device)
    # Plain layers keep the whole prefix where a sliding one would drop its beginning.
    cache = DynamicCache() if behind is None else behind.expanded_cache(1)
    if sight is None:
        with grouped_sdpa(model):
            model.base_model(input_ids=input_ids, past_key_values=cache, use_cache=True)
    else:
        inputs = sight.inputs([rest], [len(rest)], [before])
        with grouped_sdpa(model), sight.shown([rest]):
            sight.core(input_ids=input_ids, past_key_values=cache, use_cache=True, **inputs)
    return PrefixStates(tuple(keys_and_values(layer) for layer in cache.layers), len(ids))


def keys_and_values(layer: object) -> tuple[Tensor, Tensor]:
    """The keys and values of a cache's layer.

    Args:
        layer: The layer.

    Raises:
        EngineError: It kept none.
    """
    keys, values = getattr(layer, "keys", None), getattr(layer, "values", None)
    if keys is None or values is None:
        raise EngineError("A layer of the model kept no keys and values, so no prefix is shared.")
    return keys, values
