"""Keys and values of prefixes: run once, kept under a memory budget, handed out without copying."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from headwise.engines.transformers.batching import TokenIds
from headwise.errors import EngineError


@dataclass(frozen=True, slots=True, eq=False)
class PrefixStates:
    """Keys and values of one prefix.

    Args:
        layers: `(keys, values)` a layer, each `(1, kv_heads, length, head_dim)`.
        length: Tokens.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    length: int

    @property
    def n_bytes(self) -> int:
        """Memory they take."""
        return sum(t.numel() * t.element_size() for pair in self.layers for t in pair)

    def cache(self, rows: int = 1) -> DynamicCache:
        """A cache that begins with this prefix for each of some rows.

        The prefix itself is expanded, not copied, and is never written to: a cache layer grows by
        making new tensors. Every layer is a plain one, also where the model slides a window: its
        mask then looks back over the window by itself.
        """
        data = [(k.expand(rows, -1, -1, -1), v.expand(rows, -1, -1, -1)) for k, v in self.layers]
        return DynamicCache(ddp_cache_data=data)


def supports_prefixes(model: PreTrainedModel) -> bool:
    """Whether a model's past is nothing but keys and values, so that it can be shared.

    Recurrent layers (linear attention, Mamba) carry a state that cannot.
    """
    layers = DynamicCache(config=model.config).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


@torch.no_grad()
def run_prefix(model: PreTrainedModel, ids: Sequence[int]) -> PrefixStates:
    """Runs a prefix through the model once.

    Args:
        model: The model.
        ids: The prefix, one token at least.

    Returns:
        Its keys and values.
    """
    input_ids = torch.tensor([list(ids)], device=model.device)
    # Plain layers keep the whole prefix where a sliding one would drop its beginning.
    cache = DynamicCache()
    model.base_model(input_ids=input_ids, past_key_values=cache, use_cache=True)
    return PrefixStates(tuple(_keys_and_values(layer) for layer in cache.layers), len(ids))


def _keys_and_values(layer: object) -> tuple[Tensor, Tensor]:
    keys, values = getattr(layer, "keys", None), getattr(layer, "values", None)
    if keys is None or values is None:
        raise EngineError("A layer of the model kept no keys and values, so no prefix is shared.")
    return keys, values


class PrefixStore:
    """Prefixes that have been run, the least recently used dropped past a byte budget.

    Args:
        model: The model.
        byte_budget: Memory they may take together.
    """

    def __init__(self, model: PreTrainedModel, byte_budget: int) -> None:
        self._model = model
        self._byte_budget = byte_budget
        self._states: OrderedDict[TokenIds, PrefixStates] = OrderedDict()
        self._n_bytes = 0

    def get(self, ids: TokenIds) -> PrefixStates:
        """The states of a prefix, run now if they are not kept."""
        if ids in self._states:
            self._states.move_to_end(ids)
            return self._states[ids]
        states = run_prefix(self._model, ids)
        self._states[ids] = states
        self._n_bytes += states.n_bytes
        while self._n_bytes > self._byte_budget and len(self._states) > 1:
            _, dropped = self._states.popitem(last=False)
            self._n_bytes -= dropped.n_bytes
        return states

    def clear(self) -> None:
        """Forgets every prefix."""
        self._states.clear()
        self._n_bytes = 0
