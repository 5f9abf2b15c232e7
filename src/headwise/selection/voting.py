"""Turns the similarities of several heads into one decision value a class."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Voting = Literal["soft", "majority"]


def decide(similarities: Tensor, voting: Voting) -> Tensor:
    """Decision values of the classes.

    Args:
        similarities: `(n, k, n_classes)`, the `k` heads best first.
        voting: `"soft"` averages the heads' cosine similarities. `"majority"` lets each head vote
            for its most similar class; where classes tie, the one voted for first from the best
            head down wins, as in the published code.

    Returns:
        `(n, n_classes)` float64; the largest is the prediction.
    """
    if voting == "soft":
        return similarities.double().mean(dim=1)
    n_heads, n_classes = similarities.shape[1:]
    votes = torch.nn.functional.one_hot(similarities.argmax(dim=2), n_classes).double()
    ranks = torch.arange(n_heads, dtype=torch.float64)[None, :, None].expand_as(votes)
    first = torch.where(votes > 0, ranks, float(n_heads)).amin(dim=1)
    # The bonus of an early first vote stays below one vote, so it only ever breaks ties.
    return (votes.sum(dim=1) + 0.5 * (1 - first / n_heads)) / n_heads


def decide_by_count(similarities: Tensor, counts: tuple[int, ...], voting: Voting) -> list[Tensor]:
    """Decision values of the best heads only, for several numbers of heads.

    Args:
        similarities: `(n, k, n_classes)`, best head first.
        counts: Numbers of heads, each at most `k`.
        voting: See `decide`.

    Returns:
        One `(n, n_classes)` tensor a count.
    """
    if voting == "soft":
        running = similarities.double().cumsum(dim=1)
        return [running[:, count - 1] / count for count in counts]
    return [decide(similarities[:, :count], voting) for count in counts]
