"""Logits of a few tokens only, where no other counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def only_these_tokens(output: nn.Module, tokens: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Has a model's output embedding compute the logits of some tokens only.

    What the model does to its logits afterwards (a scale, a soft cap) still happens.

    Args:
        output: The output embedding.
        tokens: Which tokens; empty for all.

    Yields:
        The tokens that the logits then stand for; empty for the whole vocabulary, also where the
        module is no plain linear layer (quantised, or wrapped by another library).
    """
    if not tokens or type(output) is not nn.Linear or "forward" in vars(output):
        yield ()
        return
    rows = torch.tensor(tokens, device=output.weight.device)
    weight = output.weight[rows]
    bias = None if output.bias is None else output.bias[rows]

    def forward(hidden: Tensor) -> Tensor:
        return torch.nn.functional.linear(hidden, weight, bias)

    output.forward = forward  # type: ignore[method-assign, assignment]
    try:
        yield tokens
    finally:
        del output.forward
