"""Log-probabilities of continuations with gradients: nothing is kept from one call to the next.

Candidates of several tokens run behind their conversation's own keys and values, through which
gradients flow as they do through one sequence. So a conversation is run once, not once a candidate.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers.cache_utils import DynamicCache

from headwise.engines.transformers.batching import (
    Request,
    SharingGroup,
    TokenIds,
    left_padded,
)
from headwise.engines.transformers.candidates import CandidatePlan
from headwise.engines.transformers.forward import only_at
from headwise.engines.transformers.frozen import FrozenModel
from headwise.engines.transformers.hooks import TokenPositions, installed
from headwise.engines.transformers.masks import Strategy, blocking
from headwise.engines.transformers.prefixes import keys_and_values

# What a training step may keep of attention weights, and about what it keeps of each.
_WEIGHTS_BYTES = 512 * 2**20
_BYTES_OF_A_WEIGHT = 8


def logprobs_with_gradients(
    frozen: FrozenModel,
    plans: Sequence[CandidatePlan],
    strategy_of: Callable[[int], Strategy],
) -> list[Tensor]:
    """Log-probabilities of every plan's candidates.

    Args:
        frozen: The model.
        plans: One for each conversation.
        strategy_of: Whether the model takes tokens behind one prompt that do not see one another,
            by the length of both; see `strategy.StrategyChooser`.

    Returns:
        A float32 tensor a plan, one value a candidate, with gradients where these are on.
    """
    requests: list[Request] = []
    wanted: list[list[tuple[int, ...]]] = []
    for plan in plans:
        requests.extend(plan.requests)
        wanted.extend(plan.wanted)
    # Of other models `Sight` knows positions and masks for whole sequences only.
    is_causal = frozen.sight is None or frozen.sight.attention == "causal"
    can_follow = frozen.shares_prefixes and is_causal and not frozen.counts_in_three
    saves = any(len(plan.requests) > 1 for plan in plans)
    if can_follow and saves:
        strategy = strategy_of(max(len(one.ids) + 1 for one in requests))
        in_parallel = strategy in ("grouped", "parallel")
        spots = _behind_prompts(frozen, requests, wanted, in_parallel=in_parallel)
    else:
        spots = _whole(frozen, requests, wanted)
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


def _whole(
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
        with frozen.showing(batch.ids):
            logprobs = _logprobs_at(frozen, batch.spots, inputs)
        spot = 0
        for row in batch.rows:
            for tokens in wanted[row]:
                results[row].append(logprobs[spot, list(tokens)])
                spot += 1
    return results


def _behind_prompts(
    frozen: FrozenModel,
    requests: Sequence[Request],
    wanted: Sequence[Sequence[tuple[int, ...]]],
    *,
    in_parallel: bool,
) -> list[list[Tensor]]:
    """As `_whole`, with each prompt run once and what follows it behind its keys and values."""
    members: dict[TokenIds, list[int]] = {}
    for number, request in enumerate(requests):
        members.setdefault(request.ids[: request.spots[0] + 1], []).append(number)
    prompts = sorted(members, key=len, reverse=True)
    results: list[list[Tensor]] = [[] for _ in requests]
    while prompts:
        some = prompts[: max(1, frozen.token_budget // len(prompts[0]))]
        del prompts[: len(some)]
        for row, found in _of_prompts(frozen, some, members, requests, in_parallel=in_parallel):
            pairs = zip(found, wanted[row], strict=True)
            results[row] = [logprobs[list(tokens)] for logprobs, tokens in pairs]
    return results


def _of_prompts(
    frozen: FrozenModel,
    prompts: Sequence[TokenIds],
    members: Mapping[TokenIds, Sequence[int]],
    requests: Sequence[Request],
    *,
    in_parallel: bool,
) -> Iterator[tuple[int, list[Tensor]]]:
    """Numbers of the requests of some prompts, and log-probabilities at each of their spots."""
    # So that what follows lies right behind the prompt's last token.
    ids, mask = left_padded(prompts, frozen.pad_id)
    cache = DynamicCache()
    rows = torch.arange(len(prompts))
    last = TokenPositions(rows, torch.full_like(rows, ids.shape[1] - 1))
    inputs = _inputs(frozen, ids, mask, cache)
    if frozen.sight is not None:
        inputs |= frozen.sight.inputs(prompts, [len(one) for one in prompts], on_left=True)
    with frozen.showing(prompts):
        first = _logprobs_at(frozen, last, inputs)
    after: list[list[list[Tensor]]] = []
    tails = [[_tail(requests[number]) for number in members[one]] for one in prompts]
    if any(tail for some in tails for tail in some):
        run = _beside_one_another if in_parallel else _apart
        after = run(frozen, tails, mask, cache)
    for row, one in enumerate(prompts):
        for place, number in enumerate(members[one]):
            yield number, [first[row], *(after[row][place] if after else ())]


def _tail(request: Request) -> TokenIds:
    """What of a request follows its prompt."""
    return request.ids[request.spots[0] + 1 :]


def _beside_one_another(
    frozen: FrozenModel,
    tails: Sequence[Sequence[TokenIds]],
    before: Tensor,
    cache: DynamicCache,
) -> list[list[list[Tensor]]]:
    """As `_apart`, with all that follows a prompt in one row, each seeing the prompt and itself."""
    n_queries = max(sum(map(len, some)) for some in tails)
    ids = torch.full((len(tails), n_queries), frozen.pad_id)
    owners, offsets = torch.full_like(ids, -1), torch.zeros_like(ids)
    at = []
    for row, some in enumerate(tails):
        start = 0
        for number, tail in enumerate(some):
            end = start + len(tail)
            ids[row, start:end] = torch.tensor(tail, dtype=torch.long)
            owners[row, start:end] = number
            offsets[row, start:end] = torch.arange(len(tail))
            at += [(row, column) for column in range(start, end)]
            start = end
    own = (owners[:, :, None] == owners[:, None, :]).tril()
    visible = torch.cat([before.bool()[:, None].expand(-1, n_queries, -1), own], dim=2)
    device = frozen.model.device
    inputs = {
        "input_ids": ids.to(device),
        "position_ids": (before.sum(dim=1, keepdim=True) + offsets).to(device),
        "attention_mask": blocking(visible, frozen.model.dtype).to(device),
        "past_key_values": cache,
        "use_cache": True,
    }
    found = iter(_logprobs_at(frozen, TokenPositions(*torch.tensor(at).T), inputs))
    return [[[next(found) for _ in tail] for tail in some] for some in tails]


def _apart(
    frozen: FrozenModel,
    tails: Sequence[Sequence[TokenIds]],
    before: Tensor,
    cache: DynamicCache,
) -> list[list[list[Tensor]]]:
    """Log-probabilities after each token of what follows each prompt, in rows of their own."""
    longer = [(owner, tail) for owner, some in enumerate(tails) for tail in some if tail]
    owners = torch.tensor([owner for owner, _ in longer])
    ids = torch.full((len(longer), max(len(tail) for _, tail in longer)), frozen.pad_id)
    for row, (_, tail) in enumerate(longer):
        ids[row, : len(tail)] = torch.tensor(tail)
    at = [(row, column) for row, (_, tail) in enumerate(longer) for column in range(len(tail))]
    spots = TokenPositions(*torch.tensor(at).T)
    # Padding lies behind everything that is read, where no token looks.
    mask = torch.cat([before[owners], torch.ones_like(ids)], dim=1)
    inputs = _inputs(frozen, ids, mask, _rows_of(cache, owners))
    found = iter(_logprobs_at(frozen, spots, inputs))
    return [[[next(found) for _ in tail] for tail in some] for some in tails]


def _rows_of(cache: DynamicCache, rows: Tensor) -> DynamicCache:
    """The past of some rows; gradients of several that share one add up in it."""
    data = []
    for layer in cache.layers:
        keys, values = keys_and_values(layer)
        data.append((keys[rows.to(keys.device)], values[rows.to(values.device)]))
    return DynamicCache(ddp_cache_data=data)


def _inputs(frozen: FrozenModel, ids: Tensor, mask: Tensor, cache: DynamicCache) -> dict[str, Any]:
    """What the model is called with for tokens behind a past, under a mask of both."""
    device = frozen.model.device
    inputs: dict[str, Any] = {
        "input_ids": ids.to(device),
        "attention_mask": mask.to(device),
        "past_key_values": cache,
        "use_cache": True,
    }
    if "position_ids" in inspect.signature(frozen.model.forward).parameters:
        positions = (mask.cumsum(dim=1) - 1).clamp_min(0)[:, -ids.shape[1] :].to(device)
        inputs["position_ids"] = positions
    return inputs


def _logprobs_at(frozen: FrozenModel, spots: TokenPositions, inputs: dict[str, Any]) -> Tensor:
    """`(k, vocabulary)` float32 at a batch's positions of interest."""
    with installed({frozen.output_embedding: only_at(spots)}), _attending(frozen, inputs):
        logits: Tensor = frozen.model(**inputs).logits[0].float()
    return logits.log_softmax(dim=-1)


def _attending(frozen: FrozenModel, inputs: dict[str, Any]) -> AbstractContextManager[None]:
    """On a CPU the plain kernel where its attention weights fit: its gradients are much faster."""
    ids, mask = inputs["input_ids"], inputs.get("attention_mask")
    n_keys = ids.shape[1] if mask is None else mask.shape[-1]
    n_heads = sum(entry.n_heads for entry in frozen.located)
    n_bytes = ids.numel() * n_keys * n_heads * _BYTES_OF_A_WEIGHT
    if not torch.is_grad_enabled() or ids.device.type != "cpu" or n_bytes > _WEIGHTS_BYTES:
        return nullcontext()
    return sdpa_kernel(SDPBackend.MATH)
