"""Forward passes over many requests: batched, prefixes shared, hooks in place, nothing wasted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from headwise.engines.transformers.batching import (
    Batch,
    Request,
    TokenIds,
    sharing_groups,
)
from headwise.engines.transformers.frozen import FrozenModel
from headwise.engines.transformers.group_prefixes import GroupPrefixes, may_share
from headwise.engines.transformers.hooks import (
    HeadReader,
    PreHook,
    StopForward,
    TokenPositions,
    installed,
    one_after_another,
    steering_hooks,
)
from headwise.engines.transformers.kept_beginnings import beginning_of
from headwise.engines.transformers.prefixes import PrefixStates
from headwise.heads import Steering
from headwise.progress import progress_bar


@dataclass(frozen=True, slots=True)
class _Planned:
    batch: Batch
    prefix: PrefixStates | None
    before: TokenIds


def _planned(
    frozen: FrozenModel, requests: Sequence[Request], progress: bool, description: str
) -> Iterator[_Planned]:
    groups = sharing_groups(requests, share=frozen.shares_prefixes)
    shared_by_groups = GroupPrefixes(frozen)
    with progress_bar(description, len(requests), enabled=progress) as bar:
        for group in groups:
            kept = beginning_of(requests, group) if frozen.shares_prefixes else ()
            shared = replace(group, prefix=kept) if kept else group
            if not may_share(frozen, requests, shared):
                shared, kept = replace(group, prefix=()), ()
            if kept:
                prefix: PrefixStates | None = frozen.beginnings.states(kept)
            else:
                prefix = shared_by_groups.states(shared)
            for batch in frozen.batches(requests, shared):
                yield _Planned(batch, prefix, shared.prefix)
                bar.advance(len(batch.rows))


@torch.no_grad()
def read_heads(
    frozen: FrozenModel,
    requests: Sequence[Request],
    layers: tuple[int, ...] | None,
    *,
    progress: bool = False,
) -> list[Tensor]:
    """Head outputs at every request's last token.

    Args:
        frozen: The model.
        requests: `n` requests of one spot each.
        layers: The layers to read, ascending; all where None.
        progress: Whether to show a progress bar.

    Returns:
        One float32 CPU tensor `(n, n_heads, head_dim)` a layer.
    """
    located = tuple(e for e in frozen.located if layers is None or e.layer in layers)
    results = [torch.empty(len(requests), e.n_heads, e.head_dim) for e in located]
    for planned in _planned(frozen, requests, progress, "Reading heads"):
        reader = HeadReader(located)
        hooks = reader.hooks(planned.batch.spots)
        inputs = _inputs(frozen, requests, planned)
        with (
            frozen.attending(planned.batch),
            frozen.showing(planned.batch.ids),
            installed(hooks),
            suppress(StopForward),
        ):
            frozen.core(**inputs)
        rows = torch.tensor(planned.batch.rows)
        for result, part in zip(results, reader.collect(), strict=True):
            result[rows] = part
    return results


@torch.no_grad()
def read_hidden(
    frozen: FrozenModel, requests: Sequence[Request], *, progress: bool = False
) -> Tensor:
    """The last hidden state, after the final norm, at every request's last token.

    Args:
        frozen: The model.
        requests: `n` requests of one spot each.
        progress: Whether to show a progress bar.

    Returns:
        `(n, hidden)` float32 on the CPU.
    """
    if not requests:
        return torch.empty(0, frozen.hidden_size)
    rows: list[int] = []
    parts: list[Tensor] = []
    for planned in _planned(frozen, requests, progress, "Reading hidden states"):
        inputs = _inputs(frozen, requests, planned)
        with frozen.attending(planned.batch), frozen.showing(planned.batch.ids):
            states: Tensor = frozen.core(**inputs).last_hidden_state
        at = planned.batch.spots.to(states.device)
        parts.append(states[at.rows, at.columns].float().cpu())
        rows.extend(planned.batch.rows)
    return torch.cat(parts)[torch.tensor(rows).argsort()]


@torch.no_grad()
def logprobs_at_spots(
    frozen: FrozenModel,
    requests: Sequence[Request],
    wanted: Sequence[Sequence[tuple[int, ...]]],
    steering: Sequence[Steering | None] | None = None,
    *,
    progress: bool = False,
) -> list[list[Tensor]]:
    """Log-probabilities of chosen next tokens at every spot of every request.

    Args:
        frozen: The model.
        requests: `n` requests.
        wanted: For each request and each of its spots, the token ids whose log-probability is
            asked.
        steering: Heads to steer in each request: at its first spot, or at all its spots where
            positions is "generated". Requests that are steered otherwise share batches and prefixes
            all the same, for a prefix ends before what is steered.
        progress: Whether to show a progress bar.

    Returns:
        For each request and spot, a float64 tensor with one value a wanted token.
    """
    results: list[list[Tensor]] = [[] for _ in requests]
    for planned in _planned(frozen, requests, progress, "Scoring"):
        batch = planned.batch
        hooks = {} if steering is None else _steered(frozen, requests, batch, steering)
        hooks[frozen.output_embedding] = only_at(batch.spots)
        inputs = _inputs(frozen, requests, planned)
        with frozen.attending(batch), frozen.showing(batch.ids), installed(hooks):
            logits: Tensor = frozen.model(**inputs).logits[0].float()
        normaliser = logits.logsumexp(dim=-1)
        spot = 0
        for row in batch.rows:
            for tokens in wanted[row]:
                chosen = logits[spot, list(tokens)] - normaliser[spot]
                results[row].append(chosen.double().cpu())
                spot += 1
    return results


def _inputs(frozen: FrozenModel, requests: Sequence[Request], planned: _Planned) -> dict[str, Any]:
    """What the model is called with for one batch."""
    batch, n_before = planned.batch, len(planned.before)
    if batch.packed is None:
        n_rows = len(batch.rows)
        prompts = [requests[row].spots[0] + 1 - n_before for row in batch.rows]
        beside = frozen.beside(batch.ids, prompts, [planned.before] * n_rows)
    else:
        n_rows, beside = 1, {"position_ids": batch.packed.positions(n_before)}
    inputs = {"input_ids": batch.input_ids.to(frozen.model.device), **beside}
    if planned.prefix is None:
        return {**inputs, "use_cache": False}
    cache = planned.prefix.expanded_cache(n_rows)
    return {**inputs, "past_key_values": cache, "use_cache": True}


def only_at(spots: TokenPositions) -> PreHook:
    """Keeps only the hidden states of interest, so that no other position costs a vocabulary.

    Args:
        spots: The positions of a batch that are looked at.

    Returns:
        A hook for the output embedding, which then sees `(1, k, hidden)`.
    """

    def hook(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        at = spots.to(args[0].device)
        return (args[0][at.rows, at.columns][None], *args[1:])

    return hook


def _steered(
    frozen: FrozenModel,
    requests: Sequence[Request],
    batch: Batch,
    steering: Sequence[Steering | None],
) -> dict[nn.Module, PreHook]:
    """Hooks that steer each row of a batch as it is to be steered."""
    chosen: dict[Steering, list[int]] = {}
    spot = 0
    for row in batch.rows:
        own, n_spots = steering[row], len(requests[row].spots)
        if own is not None:
            n_steered = n_spots if own.positions == "generated" else 1
            chosen.setdefault(own, []).extend(range(spot, spot + n_steered))
        spot += n_spots
    hooks: dict[nn.Module, PreHook] = {}
    for own, spots in chosen.items():
        where = TokenPositions(batch.spots.rows[spots], batch.spots.columns[spots])
        for module, hook in steering_hooks(own, frozen.located, where).items():
            hooks[module] = one_after_another(hooks[module], hook) if module in hooks else hook
    return hooks
