"""Evaluation mode for the duration of a call: a model in training gives what it gives at rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Puts every module of a model into evaluation mode, and back when the block ends.

    Each module gets back its own flag, since a user may train some and keep others frozen.

    Args:
        model: The model.

    Yields:
        Nothing.
    """
    # The flags themselves: `eval()` may be overridden to do more, and recurses from every module.
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
