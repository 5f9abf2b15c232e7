"""Checkpoints as safetensors: weights, the optimizers' state and the step, without pickle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


def write_checkpoint(
    path: Path, module: nn.Module, optimizers: Sequence[torch.optim.Optimizer], step: int
) -> None:
    """Writes a checkpoint, whole or not at all.

    Args:
        path: The file.
        module: What is trained; only what asks for gradients is written.
        optimizers: Its optimizers.
        step: How many steps were made.
    """
    tensors: dict[str, Tensor] = {
        f"weights/{name}": value.detach().contiguous()
        for name, value in module.named_parameters()
        if value.requires_grad
    }
    for number, optimizer in enumerate(optimizers):
        for key, state in optimizer.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optimizer/{number}/{key}/{name}"] = torch.as_tensor(value).contiguous()
    draft = path.with_suffix(".draft")
    save_file(tensors, draft, metadata={"step": str(step)})
    draft.replace(path)


def read_checkpoint(
    path: Path, module: nn.Module, optimizers: Sequence[torch.optim.Optimizer] = ()
) -> int:
    """Reads what `write_checkpoint` wrote.

    Args:
        path: The file.
        module: What is trained.
        optimizers: Its optimizers; none to read the weights only.

    Returns:
        How many steps were made.
    """
    states: list[dict[int, dict[str, Tensor]]] = [{} for _ in optimizers]
    with safe_open(path, framework="pt") as opened:
        step = int(opened.metadata()["step"])
        parameters = dict(module.named_parameters())
        for name in opened.keys():  # noqa: SIM118 - not a dict
            kind, rest = name.split("/", 1)
            if kind == "weights":
                parameters[rest].data.copy_(opened.get_tensor(name))
            elif optimizers:
                number, key, field = rest.split("/")
                states[int(number)].setdefault(int(key), {})[field] = opened.get_tensor(name)
    for optimizer, state in zip(optimizers, states, strict=True):
        whole = optimizer.state_dict()
        optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
    return step


def adopt(path: Path, module: nn.Module) -> int:
    """Takes from a checkpoint the weights that have a place of the same name and shape.

    Args:
        path: The file.
        module: What is to be trained.

    Returns:
        How many tensors were taken.
    """
    parameters, taken = dict(module.named_parameters()), 0
    with safe_open(path, framework="pt") as opened:
        for name in opened.keys():  # noqa: SIM118 - not a dict
            own = parameters.get(name.removeprefix("weights/"))
            value = opened.get_tensor(name)
            if own is not None and own.shape == value.shape:
                own.data.copy_(value)
                taken += 1
    return taken
