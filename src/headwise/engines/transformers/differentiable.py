"""Log-probabilities of continuations with gradients: whole sequences, nothing shared or kept."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from headwise.engines.transformers.batching import Request, SharingGroup
from headwise.engines.transformers.candidates import CandidatePlan
from headwise.engines.transformers.forward import FrozenModel, only_at
from headwise.engines.transformers.hooks import installed


def logprobs_with_gradients(frozen: FrozenModel, plans: Sequence[CandidatePlan]) -> list[Tensor]:
    """Log-probabilities of every plan's candidates.

    Args:
        frozen: The model.
        plans: One for each conversation.

    Returns:
        A float32 tensor a plan, one value a candidate, with gradients where these are on.
    """
    requests: list[Request] = []
    wanted: list[list[tuple[int, ...]]] = []
    for plan in plans:
        requests.extend(plan.requests)
        wanted.extend(plan.wanted)
    spots = _spots(frozen, requests, wanted)
    found, start = [], 0
    for plan in plans:
        values = [
            spots[start + number][0][column]
            + sum((later[0] for later in spots[start + number][1:]), start=0.0)
            for number, column in plan.places
        ]
        found.append(torch.stack(values))
        start += len(plan.requests)
    return found


def _spots(
    frozen: FrozenModel,
    requests: Sequence[Request],
    wanted: Sequence[Sequence[tuple[int, ...]]],
) -> list[list[Tensor]]:
    """For each request and spot, the log-probabilities of the tokens wanted there."""
    results: list[list[Tensor]] = [[] for _ in requests]
    everyone = SharingGroup((), tuple(range(len(requests))))
    for batch in frozen.padded(requests, everyone):
        prompts = [requests[row].spots[0] + 1 for row in batch.rows]
        inputs = {
            "input_ids": batch.input_ids.to(frozen.model.device),
            "use_cache": False,
            **frozen.beside(batch.ids, prompts),
        }
        with (
            frozen.showing(batch.ids),
            installed({frozen.output_embedding: only_at(batch.spots)}),
        ):
            logits: Tensor = frozen.model(**inputs).logits[0].float()
        logprobs = logits.log_softmax(dim=-1)
        spot = 0
        for row in batch.rows:
            for tokens in wanted[row]:
                results[row].append(logprobs[spot, list(tokens)])
                spot += 1
    return results
