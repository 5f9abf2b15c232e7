"""Checks numerically, when a model loads, that the located slices really are its heads.

At the first position a token can attend to itself alone, so a head's output there is its value
vector, up to one factor a head (attention sinks take a share). That gives a check that needs no
knowledge of the architecture: the slices must be parallel to the value projection's output, or,
where queries, keys and values come from one fused projection, heads that share a value must be
parallel to one another.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from headwise.engines.transformers.hooks import PreHook
from headwise.engines.transformers.locate import LocatedLayer
from headwise.engines.transformers.modes import evaluation_mode
from headwise.errors import LayoutError

PostHook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]

_PARALLEL = 0.99


@torch.no_grad()
def verify_heads(model: PreTrainedModel, located: tuple[LocatedLayer, ...]) -> None:
    """Runs one token through the model and checks every located layer.

    Args:
        model: The model.
        located: What `locate_heads` found in it.

    Raises:
        LayoutError: A projection was not called, got another width, or its slices are not heads.
    """
    seen: dict[int, Tensor] = {}
    values: dict[int, Tensor] = {}
    handles = []
    for entry in located:
        handles.append(entry.projection.register_forward_pre_hook(_keep_input(seen, entry.layer)))
        value = getattr(entry.attention, "v_proj", None)
        if isinstance(value, nn.Module):
            handles.append(value.register_forward_hook(_keep_output(values, entry.layer)))
    try:
        token = torch.tensor([[_ordinary_token(model)]], device=model.device)
        with evaluation_mode(model):
            model.base_model(input_ids=token, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    for entry in located:
        if entry.reads_pictures:
            continue  # It is not called without one.
        _check_layer(entry, seen.get(entry.layer), values.get(entry.layer))


def _keep_input(store: dict[int, Tensor], layer: int) -> PreHook:
    def hook(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        store[layer] = args[0].detach().float().cpu()

    return hook


def _keep_output(store: dict[int, Tensor], layer: int) -> PostHook:
    def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        store[layer] = output.detach().float().cpu()

    return hook


def _ordinary_token(model: PreTrainedModel) -> int:
    size = int(model.config.get_text_config(decoder=True).vocab_size)
    return size // 2


def _check_layer(entry: LocatedLayer, found: Tensor | None, value: Tensor | None) -> None:
    if found is None:
        raise LayoutError(f"{entry.path} was located but is not called in a forward pass.")
    width = entry.n_heads * entry.head_dim
    if found.numel() != width:
        raise LayoutError(
            f"{entry.path} was called with {found.numel()} values for one token; expected {width} "
            f"({entry.n_heads} heads of {entry.head_dim})."
        )
    if _is_gated(entry):
        return  # A gate scales every component apart, which hides the values.
    slices = found.reshape(entry.n_heads, entry.head_dim)
    if value is not None and value.numel() % entry.head_dim == 0:
        groups = value.reshape(-1, entry.head_dim)
        if entry.n_heads % groups.shape[0] == 0:
            expected = groups.repeat_interleave(entry.n_heads // groups.shape[0], dim=0)
            _require_parallel(entry, slices, expected, "its value projection's output")
            return
    shared = _value_groups(entry)
    if shared is not None and shared < entry.n_heads:
        per_group = slices.reshape(shared, entry.n_heads // shared, entry.head_dim)
        first = per_group[:, :1].expand_as(per_group).reshape_as(slices)
        _require_parallel(entry, slices, first, "the other heads that share its value")


def _is_gated(entry: LocatedLayer) -> bool:
    query = getattr(entry.attention, "q_proj", None)
    width = getattr(query, "out_features", None)
    return width is not None and width != entry.n_heads * entry.head_dim


def _value_groups(entry: LocatedLayer) -> int | None:
    for source in (entry.attention, getattr(entry.attention, "config", None)):
        for name in ("num_key_value_heads", "num_kv_heads"):
            groups = getattr(source, name, None)
            if isinstance(groups, int) and groups > 0 and entry.n_heads % groups == 0:
                return groups
    return None


def _require_parallel(entry: LocatedLayer, slices: Tensor, expected: Tensor, what: str) -> None:
    norms = slices.norm(dim=1) * expected.norm(dim=1)
    cosine = (slices * expected).sum(dim=1).abs() / norms.clamp_min(1e-12)
    wrong = ((cosine < _PARALLEL) & (norms > 1e-8)).nonzero().flatten().tolist()
    if wrong:
        raise LayoutError(
            f"The input of {entry.path} does not split into {entry.n_heads} heads of "
            f"{entry.head_dim}: at the first token head {wrong[0]} is not parallel to {what} "
            f"(cosine {float(cosine[wrong[0]]):.3f}). If you know that the layout is right, load "
            "with verify_layout=False."
        )
