"""Finds the attention heads of a decoder: where each layer's output projection is.

The feature of a head is its slice of the INPUT of the attention output projection; after the
projection every slice mixes all heads. Names are data, and nothing is guessed: a layer that fits no
name raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from headwise.errors import LayoutError
from headwise.heads import HeadLayout, LayerHeads

LAYER_STACKS = ("layers", "h", "blocks", "block")
ATTENTION_NAMES = ("self_attn", "attn", "attention", "self_attention", "cross_attn")
PROJECTION_NAMES = ("o_proj", "out_proj", "dense", "c_proj", "wo", "out_lin")
HEAD_COUNT_NAMES = ("num_heads", "num_attention_heads", "n_head", "n_heads")
# Layers whose mixer is no softmax attention have no heads.
HEADLESS_MIXERS = ("linear_attn", "mamba", "conv", "recurrent", "temporal_block", "ssm", "mixer")


@dataclass(frozen=True, slots=True)
class LocatedLayer:
    """One layer's attention, located.

    Args:
        layer: Decoder layer, counted from 0.
        attention: The attention module.
        projection: Its output projection, whose input holds the heads side by side.
        n_heads: Query heads.
        head_dim: Width of each head.
        path: Dotted name of the projection within the decoder, for messages.
    """

    layer: int
    attention: nn.Module
    projection: nn.Module
    n_heads: int
    head_dim: int
    path: str

    @property
    def reads_pictures(self) -> bool:
        """Whether its heads attend to pictures beside the sequence, and to no token."""
        return ".cross_attn." in self.path


def find_decoder(model: PreTrainedModel) -> nn.Module:
    """The language decoder of a model, never a vision tower.

    Raises:
        LayoutError: The model names none.
    """
    decoder = model.get_decoder()
    if not isinstance(decoder, nn.Module):
        raise LayoutError(f"{type(model).__name__}.get_decoder() names no module.")
    return decoder


def locate_heads(model: PreTrainedModel) -> tuple[LocatedLayer, ...]:
    """Locates the attention output projection of every decoder layer that has softmax attention.

    Args:
        model: A decoder language model.

    Returns:
        One entry a layer with heads, ascending.

    Raises:
        LayoutError: The layer stack, an attention module, its projection or its head count could
            not be found; names what was looked for.
    """
    decoder = find_decoder(model)
    config = model.config.get_text_config(decoder=True)
    name, stack = _layer_stack(decoder, int(config.num_hidden_layers))
    located = []
    for number, block in enumerate(stack):
        found = _attention_of(block)
        if found is None:
            _require_headless(block, number)
            continue
        attention_name, attention, projection_name, projection = found
        path = f"{name}.{number}.{attention_name}.{projection_name}"
        n_heads = _head_count(attention, config, number, path)
        width = _input_width(projection, path)
        if width % n_heads:
            raise LayoutError(
                f"{path} takes {width} values, which do not divide into {n_heads} heads."
            )
        located.append(LocatedLayer(number, attention, projection, n_heads, width // n_heads, path))
    if not located:
        raise LayoutError(f"No layer of {type(decoder).__name__} has softmax attention heads.")
    return tuple(located)


def layout_of(located: tuple[LocatedLayer, ...]) -> HeadLayout:
    """The head layout of located layers."""
    return HeadLayout(tuple(LayerHeads(e.layer, e.n_heads, e.head_dim) for e in located))


def _layer_stack(decoder: nn.Module, n_layers: int) -> tuple[str, nn.ModuleList]:
    for name in LAYER_STACKS:
        stack = getattr(decoder, name, None)
        if isinstance(stack, nn.ModuleList) and len(stack) == n_layers:
            return name, stack
    # OPT-like models nest the stack one level deeper.
    for child_name, child in decoder.named_children():
        for name in LAYER_STACKS:
            stack = getattr(child, name, None)
            if isinstance(stack, nn.ModuleList) and len(stack) == n_layers:
                return f"{child_name}.{name}", stack
    children = ", ".join(name for name, _ in decoder.named_children())
    raise LayoutError(
        f"No stack of {n_layers} layers in {type(decoder).__name__}: looked for "
        f"{', '.join(LAYER_STACKS)}; its children are {children}."
    )


def _attention_of(block: nn.Module) -> tuple[str, nn.Module, str, nn.Module] | None:
    for attention_name, attention in _attention_candidates(block):
        for projection_name in PROJECTION_NAMES:
            projection = getattr(attention, projection_name, None)
            if isinstance(projection, nn.Module):
                return attention_name, attention, projection_name, projection
    return None


def _attention_candidates(block: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name in ATTENTION_NAMES:
        module = getattr(block, name, None)
        if isinstance(module, nn.Module):
            yield name, module
            inner = getattr(module, "attention", None)  # GPT-Neo wraps its attention once more.
            if isinstance(inner, nn.Module):
                yield f"{name}.attention", inner


def _require_headless(block: nn.Module, number: int) -> None:
    children = [name for name, _ in block.named_children()]
    if not any(name in HEADLESS_MIXERS for name in children):
        raise LayoutError(
            f"Layer {number} ({type(block).__name__}) has no attention headwise knows: looked for "
            f"an attention module named {', '.join(ATTENTION_NAMES)} with an output projection "
            f"named {', '.join(PROJECTION_NAMES)}, or a mixer without heads named "
            f"{', '.join(HEADLESS_MIXERS)}; its children are {', '.join(children)}."
        )


def _head_count(attention: nn.Module, config: Any, layer: int, path: str) -> int:
    # The module knows its own count best; the configuration may hold one for all layers.
    for source in (attention, getattr(attention, "config", None), config):
        for name in HEAD_COUNT_NAMES:
            value = getattr(source, name, None)
            if isinstance(value, (list, tuple)):
                value = value[layer]
            if isinstance(value, int) and value > 0:
                return value
    raise LayoutError(
        f"The head count of {path} is unknown: looked for {', '.join(HEAD_COUNT_NAMES)} on the "
        "attention module and in the configuration."
    )


def _input_width(projection: nn.Module, path: str) -> int:
    if type(projection).__name__ == "Conv1D":  # GPT-2's layer keeps its weight transposed.
        width = getattr(projection, "nx", None)
    else:
        width = getattr(projection, "in_features", None)
    if isinstance(width, int):
        return width
    raise LayoutError(
        f"The input width of {path} ({type(projection).__name__}) is unknown: looked for "
        "in_features, or transformers' Conv1D."
    )
