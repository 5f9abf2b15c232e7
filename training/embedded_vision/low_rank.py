"""A low-rank update of every linear map of the language model's layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

PROJECTIONS: tuple[str, ...] = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)


class LowRankLinear(nn.Module):
    """A frozen linear map without bias, plus `up @ down`.

    Args:
        frozen: The map.
        rank: The rank of what is added.
    """

    def __init__(self, frozen: nn.Linear, rank: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(frozen.weight.detach(), requires_grad=False)
        self.down = nn.Parameter(torch.randn(rank, frozen.in_features) * frozen.in_features**-0.5)
        self.up = nn.Parameter(torch.zeros(frozen.out_features, rank))
        self.enabled = True

    def forward(self, inputs: Tensor) -> Tensor:
        """Maps `(..., in)` to `(..., out)`."""
        flat = inputs.flatten(0, -2)
        mapped = flat @ self.weight.t()
        if self.enabled:
            low = flat @ self.down.to(flat.dtype).t()
            mapped = torch.addmm(mapped, low, self.up.to(flat.dtype).t())
        shaped: Tensor = mapped.unflatten(0, inputs.shape[:-1])
        return shaped


def add_low_rank(layers: nn.ModuleList, rank: int) -> None:
    """Replaces the linear maps of decoder layers by such with an update.

    Args:
        layers: The decoder layers.
        rank: The rank of each update.
    """
    for layer in layers:
        for name in PROJECTIONS:
            parent_name, own = name.split(".")
            parent = layer.get_submodule(parent_name)
            setattr(parent, own, LowRankLinear(getattr(parent, own), rank))


@contextmanager
def without_update(module: nn.Module) -> Iterator[None]:
    """The module as it was before training, within the block."""
    maps = [part for part in module.modules() if isinstance(part, LowRankLinear)]
    for part in maps:
        part.enabled = False
    try:
        yield
    finally:
        for part in maps:
            part.enabled = True
