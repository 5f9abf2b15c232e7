"""Gradients of the parts of a step, each on a thread of its own.

A matrix product that is split over cores waits for the slowest of them, and on a machine that does
other work too one core is slow most of the time. Parts that each stay on one core need no waiting:
whoever is free takes the next. Start Python with `OMP_NUM_THREADS=1`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor, nn

Part = TypeVar("Part")


def set_gradients(
    parts: Sequence[Part],
    loss_of: Callable[[Part], Tensor],
    parameters: Sequence[nn.Parameter],
    pool: ThreadPoolExecutor,
) -> float:
    """Sets the gradients of the sum of the parts' losses, whatever order they finish in.

    Args:
        parts: The parts of a step.
        loss_of: The loss of one, already weighted.
        parameters: What is trained; one that no part depends on gets no gradient.
        pool: The threads.

    Returns:
        The sum of the losses.
    """

    def run(part: Part) -> tuple[float, tuple[Tensor | None, ...]]:
        loss = loss_of(part)
        return float(loss.detach()), torch.autograd.grad(loss, parameters, allow_unused=True)

    for parameter in parameters:
        parameter.grad = None
    total = 0.0
    for loss, gradients in pool.map(run, parts):
        total += loss
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                known = parameter.grad
                parameter.grad = gradient if known is None else known.add_(gradient)
    return total
