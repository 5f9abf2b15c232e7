"""Head outputs computed the long way round, as an oracle for `Engine.capture`.

The model's own attention weights (eager attention) times the value vectors, read where each family
makes them. The input of the output projection, which is what headwise reads, is never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tiny_models import Family, Heads

# Of one module's output, `(T, width)` or what the module returns for one row, makes the values
# `(T, n_kv_heads, head_dim)`.
Split = Callable[[Tensor, Heads], Tensor]


@dataclass(frozen=True, slots=True)
class ValueSite:
    """Where a family's value vectors are.

    Args:
        module: Name of the module within the attention whose output holds them.
        split: Takes the values out of that output.
    """

    module: str
    split: Split


def _by_head(output: Tensor, heads: Heads) -> Tensor:
    return output.reshape(len(output), heads.n_kv_heads, heads.head_dim)


def _last_columns(output: Tensor, heads: Heads) -> Tensor:
    return _by_head(output[:, -heads.n_kv_heads * heads.head_dim :], heads)


def _query_key_value_of_each_head(output: Tensor, heads: Heads) -> Tensor:
    return output.reshape(len(output), heads.n_heads, 3, heads.head_dim)[:, :, 2]


def _queries_then_one_key_and_value(output: Tensor, heads: Heads) -> Tensor:
    return output.reshape(len(output), heads.n_heads + 2, heads.head_dim)[:, -1:]


def _queries_key_and_value_of_each_group(output: Tensor, heads: Heads) -> Tensor:
    queries = heads.n_heads // heads.n_kv_heads
    grouped = output.reshape(len(output), heads.n_kv_heads, queries + 2, heads.head_dim)
    return grouped[:, :, -1]


def _last_of_each_head(output: Tensor, heads: Heads) -> Tensor:
    return output.reshape(output.shape[-2], heads.n_heads, -1)[..., -heads.head_dim :]


def _as_it_is(output: Tensor, heads: Heads) -> Tensor:
    return output


VALUE_SITES = {
    "v_proj": ValueSite("v_proj", _by_head),
    "gated_v_proj": ValueSite("v_proj", _by_head),
    "shared_v_norm": ValueSite("v_norm", _as_it_is),
    "c_attn": ValueSite("c_attn", _last_columns),
    "qkv_proj": ValueSite("qkv_proj", _last_columns),
    "interleaved_qkv": ValueSite("query_key_value", _query_key_value_of_each_head),
    "falcon_multi_query": ValueSite("query_key_value", _queries_then_one_key_and_value),
    "falcon_new": ValueSite("query_key_value", _queries_key_and_value_of_each_group),
    "kv_b_proj": ValueSite("kv_b_proj", _last_of_each_head),
}


class Oracle:
    """Per-head last-token outputs of a family's model.

    Args:
        family: The family; the oracle builds a model of its own with eager attention.
    """

    def __init__(self, family: Family) -> None:
        self.family = family
        self.model: PreTrainedModel = family.build("eager")

    @torch.no_grad()
    def head_outputs(self, ids: Sequence[int]) -> list[Tensor]:
        """Outputs of one sequence's heads at its last token: `(n_heads, head_dim)` a layer."""
        values: dict[int, Tensor] = {}
        gates: dict[int, Tensor] = {}
        with self._recorded(values, gates), _one_alibi(self.family, self.model):
            tokens = torch.tensor([list(ids)])
            weights = self.model(tokens, output_attentions=True, use_cache=False).attentions
        if len(weights) != len(self.family.heads):
            raise AssertionError(f"{len(weights)} layers gave attention weights.")
        outputs = []
        for heads, layer_weights in zip(self.family.heads, weights, strict=True):
            value = self._value_of(values, heads)
            group = heads.n_heads // heads.n_kv_heads
            rows = [
                layer_weights[0, head, -1] @ value[:, head // group]
                for head in range(heads.n_heads)
            ]
            output = torch.stack(rows)
            outputs.append(output * gates[heads.layer] if heads.layer in gates else output)
        return outputs

    def _value_of(self, values: dict[int, Tensor], heads: Heads) -> Tensor:
        site = VALUE_SITES[self.family.values]
        layer = heads.layer
        if layer not in values:  # The layer reads the values of the last one of its own kind.
            layer = max(
                one.layer
                for one in self.family.heads
                if one.layer in values and one.head_dim == heads.head_dim
            )
        return site.split(values[layer], heads)

    @contextmanager
    def _recorded(self, values: dict[int, Tensor], gates: dict[int, Tensor]) -> Iterator[None]:
        handles = []
        for heads in self.family.heads:
            attention = self.family.attention_module(self.model, heads.layer)
            site = getattr(attention, VALUE_SITES[self.family.values].module, None)
            if site is not None:
                handles.append(site.register_forward_hook(_keep(values, heads.layer)))
            if self.family.values == "gated_v_proj":
                handles.append(attention.q_proj.register_forward_hook(_keep_gate(gates, heads)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _keep(store: dict[int, Tensor], layer: int) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        store[layer] = output[0]

    return hook


def _keep_gate(store: dict[int, Tensor], heads: Heads) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        last = output[0, -1].reshape(heads.n_heads, 2, heads.head_dim)
        store[heads.layer] = torch.sigmoid(last[:, 1])

    return hook


@contextmanager
def _one_alibi(family: Family, model: PreTrainedModel) -> Iterator[None]:
    """Works around transformers, whose eager Falcon adds alibi to the mask and to the scores."""
    handles = []
    if family.name == "falcon_alibi":

        def hook(
            module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor]
        ) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
            return args, {**kwargs, "alibi": torch.zeros_like(kwargs["alibi"])}

        handles = [
            family.attention_module(model, heads.layer).register_forward_pre_hook(
                hook, with_kwargs=True
            )
            for heads in family.heads
        ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
