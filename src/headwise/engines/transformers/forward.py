"""Forward passes over many requests: batched, prefixes shared, hooks in place, nothing wasted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from headwise.engines.transformers.batching import (
    Batch,
    Request,
    SharingGroup,
    pack,
    sharing_groups,
)
from headwise.engines.transformers.grouped_attention import grouped_sdpa
from headwise.engines.transformers.hooks import (
    HeadReader,
    PreHook,
    StopForward,
    TokenPositions,
    installed,
    steering_hooks,
)
from headwise.engines.transformers.kept_beginnings import KeptBeginnings, beginning_of
from headwise.engines.transformers.locate import LocatedLayer
from headwise.engines.transformers.prefixes import PrefixStates, run_prefix
from headwise.errors import EngineError
from headwise.heads import Steering
from headwise.progress import progress_bar


@dataclass(frozen=True, slots=True, eq=False)
class FrozenModel:
    """A loaded model and what the engine knows about running it.

    Args:
        model: The model; whoever runs it puts it into evaluation mode.
        located: Its layers with heads.
        token_budget: Padded tokens a batch may have.
        pad_id: What padding is filled with.
        shares_prefixes: Whether keys and values of a prefix can serve several rows.
        beginnings: What conversations of one template begin with.
    """

    model: PreTrainedModel
    located: tuple[LocatedLayer, ...]
    token_budget: int
    pad_id: int
    shares_prefixes: bool
    beginnings: KeptBeginnings

    @property
    def output_embedding(self) -> nn.Module:
        """The module that turns a hidden state into logits.

        Raises:
            EngineError: The model has none, so it is no language model.
        """
        module = self.model.get_output_embeddings()
        if not isinstance(module, nn.Module):
            raise EngineError(
                f"{type(self.model).__name__} has no language-model head; load a causal language "
                "model."
            )
        return module


@dataclass(frozen=True, slots=True)
class _Planned:
    batch: Batch
    prefix: PrefixStates | None


def _planned(
    frozen: FrozenModel, requests: Sequence[Request], progress: bool, description: str
) -> Iterator[_Planned]:
    groups = sharing_groups(requests, share=frozen.shares_prefixes)
    with progress_bar(description, len(requests), enabled=progress) as bar:
        for group in groups:
            kept = beginning_of(requests, group) if frozen.shares_prefixes else ()
            shared = replace(group, prefix=kept) if kept else group
            prefix = _states(frozen, shared, is_kept=bool(kept))
            batches = pack(requests, shared, token_budget=frozen.token_budget, pad_id=frozen.pad_id)
            for batch in batches:
                yield _Planned(batch, prefix)
                bar.advance(len(batch.rows))


def _states(frozen: FrozenModel, group: SharingGroup, *, is_kept: bool) -> PrefixStates | None:
    if is_kept:
        return frozen.beginnings.states(group.prefix)
    return run_prefix(frozen.model, group.prefix) if group.prefix else None


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
        with grouped_sdpa(frozen.model), installed(hooks), suppress(StopForward):
            frozen.model.base_model(**_inputs(frozen, planned))
        rows = torch.tensor(planned.batch.rows)
        for result, part in zip(results, reader.collect(), strict=True):
            result[rows] = part
    return results


@torch.no_grad()
def logprobs_at_spots(
    frozen: FrozenModel,
    requests: Sequence[Request],
    wanted: Sequence[Sequence[tuple[int, ...]]],
    steering: Steering | None = None,
    *,
    progress: bool = False,
) -> list[list[Tensor]]:
    """Log-probabilities of chosen next tokens at every spot of every request.

    Args:
        frozen: The model.
        requests: `n` requests.
        wanted: For each request and each of its spots, the token ids whose log-probability is
            asked.
        steering: Heads to steer: at the first spot of a request, or at all its spots where
            positions is "generated".
        progress: Whether to show a progress bar.

    Returns:
        For each request and spot, a float64 tensor with one value a wanted token.
    """
    results: list[list[Tensor]] = [[] for _ in requests]
    for planned in _planned(frozen, requests, progress, "Scoring"):
        batch = planned.batch
        hooks: dict[nn.Module, PreHook] = {frozen.output_embedding: _gather_hook(batch.spots)}
        if steering is not None and len(steering.heads):
            where = _steered_positions(requests, batch, steering)
            hooks.update(steering_hooks(steering, frozen.located, where))
        with grouped_sdpa(frozen.model), installed(hooks):
            logits: Tensor = frozen.model(**_inputs(frozen, planned)).logits[0].float()
        normaliser = logits.logsumexp(dim=-1)
        spot = 0
        for row in batch.rows:
            for tokens in wanted[row]:
                chosen = logits[spot, list(tokens)] - normaliser[spot]
                results[row].append(chosen.double().cpu())
                spot += 1
    return results


def _inputs(frozen: FrozenModel, planned: _Planned) -> dict[str, object]:
    """What the model is called with for one batch."""
    input_ids = planned.batch.input_ids.to(frozen.model.device)
    if planned.prefix is None:
        return {"input_ids": input_ids, "use_cache": False}
    cache = planned.prefix.expanded_cache(len(input_ids))
    return {"input_ids": input_ids, "past_key_values": cache, "use_cache": True}


def _gather_hook(spots: TokenPositions) -> PreHook:
    """Keeps only the hidden states of interest, so that no other position costs a vocabulary."""

    def hook(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        at = spots.to(args[0].device)
        return (args[0][at.rows, at.columns][None], *args[1:])

    return hook


def _steered_positions(
    requests: Sequence[Request], batch: Batch, steering: Steering
) -> TokenPositions:
    if steering.positions == "generated":
        return batch.spots
    firsts, spot = [], 0
    for row in batch.rows:
        firsts.append(spot)
        spot += len(requests[row].spots)
    keep = torch.tensor(firsts)
    return TokenPositions(batch.spots.rows[keep], batch.spots.columns[keep])
