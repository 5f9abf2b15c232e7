"""From a score a head to a set of heads: how many of the best lower the held-out loss most."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.selection.search import SearchResult, SearchTask, heads_of_mask, losses_of


def growing_sizes(most: int) -> tuple[int, ...]:
    """Numbers of heads worth trying, each about a quarter more than the one before.

    Args:
        most: The largest, 1 at least.

    Returns:
        Ascending from 1 to `most`.
    """
    sizes = [1]
    while sizes[-1] < most:
        sizes.append(min(most, max(sizes[-1] + 1, round(sizes[-1] * 1.25))))
    return tuple(sizes)


def check_sizes(sizes: tuple[int, ...] | None) -> None:
    """Checks numbers of heads to try.

    Args:
        sizes: The numbers; None for a grid.

    Raises:
        InputError: There are none, or one is below 1.
    """
    if sizes is not None and (not sizes or min(sizes) < 1):
        raise InputError(f"sizes are numbers of heads, 1 at least each; got {sizes}.")


def best_of_ranking(
    engine: Engine,
    held_out: SearchTask,
    scores: Tensor,
    sizes: Sequence[int],
    epoch_losses: Sequence[float] = (),
) -> SearchResult:
    """Tries the best heads of a ranking, some numbers of them, on held-out prompts.

    Args:
        engine: The frozen model.
        held_out: Prompts by which the number is chosen.
        scores: `(H,)` float, larger is better; of equal scores the shallower head is first.
        sizes: The numbers to try; those above `H` mean all heads.
        epoch_losses: What the search that made the ranking saw.

    Returns:
        The number of heads with the lowest loss; of equal ones the smaller.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    masks = torch.zeros(1 + len(sizes), len(scores), dtype=torch.bool)
    for row, size in enumerate(sorted(sizes), start=1):
        masks[row, order[:size]] = True
    losses = losses_of(engine, held_out, masks).mean(dim=1)
    best = 1 + int(losses[1:].argmin())
    return SearchResult(
        heads=heads_of_mask(engine.layout, masks[best], scores),
        held_out_loss=float(losses[best]),
        plain_loss=float(losses[0]),
        epoch_losses=tuple(epoch_losses),
    )
