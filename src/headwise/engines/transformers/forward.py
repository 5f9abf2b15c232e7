"""Forward passes over many requests: batched, prefixes shared, hooks in place, nothing wasted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from headwise.engines.transformers.batching import (
    Batch,
    Request,
    SharingGroup,
    TokenIds,
    pack,
    pack_behind,
    sharing_groups,
)
from headwise.engines.transformers.grouped_attention import grouped_sdpa
from headwise.engines.transformers.hooks import (
    HeadReader,
    PreHook,
    StopForward,
    TokenPositions,
    installed,
    one_after_another,
    steering_hooks,
)
from headwise.engines.transformers.kept_beginnings import KeptBeginnings, beginning_of
from headwise.engines.transformers.locate import LocatedLayer
from headwise.engines.transformers.packed_rows import packed_attention
from headwise.engines.transformers.prefixes import PrefixStates, run_prefix
from headwise.engines.transformers.sight import Sight
from headwise.errors import EngineError
from headwise.heads import Steering
from headwise.progress import progress_bar

# A call of few tokens is hardly dearer by the token on a CPU; a GPU waits for its kernels' launch.
_CALL_TOKENS_CPU = 24
_CALL_TOKENS_GPU = 1_024
# Without padding a CPU is fastest by the token at this many: half as many, or twice, take 5% more.
_PACKED_TOKENS = 1_024


class Packing:
    """Whether a model's rows may lie behind one another; found out when it is first asked.

    Args:
        works: Finds out whether that gives what the model gives for each row alone.
        window: Tokens that the layer which looks back least sees: longer rows stay apart.
    """

    def __init__(self, works: Callable[[FrozenModel], bool], window: float = math.inf) -> None:
        self._works = works
        self._window = window
        self._known: bool | None = None

    def is_right(self, frozen: FrozenModel, length: int) -> bool:
        """Whether it is for rows of this length, prefixes counted."""
        if length > self._window:
            return False
        if self._known is None:
            self._known = self._works(frozen)
        return self._known


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
        sight: How it is shown pictures; None where it cannot see.
        packing: Whether rows may lie behind one another.
    """

    model: PreTrainedModel
    located: tuple[LocatedLayer, ...]
    token_budget: int
    pad_id: int
    shares_prefixes: bool
    beginnings: KeptBeginnings
    sight: Sight | None = None
    packing: Packing = field(default_factory=lambda: Packing(lambda _: False))

    def batches(self, requests: Sequence[Request], group: SharingGroup) -> list[Batch]:
        """A group's requests in the batches that take this model least."""
        longest = max((len(requests[row].ids) for row in group.rows), default=0)
        if len(group.rows) > 1 and self.packing.is_right(self, longest):
            budget = min(self.token_budget, _PACKED_TOKENS)
            return pack_behind(requests, group, token_budget=budget)
        return self.padded(requests, group)

    def padded(self, requests: Sequence[Request], group: SharingGroup) -> list[Batch]:
        """A group's requests in batches with a row for each."""
        return pack(
            requests,
            group,
            token_budget=self.token_budget,
            pad_id=self.pad_id,
            call_tokens=_CALL_TOKENS_CPU if self.model.device.type == "cpu" else _CALL_TOKENS_GPU,
        )

    @property
    def core(self) -> nn.Module:
        """The model without its output embedding."""
        return self.model.base_model if self.sight is None else self.sight.core

    @property
    def hidden_size(self) -> int:
        """Width of the states that become logits."""
        embedding: Any = self.output_embedding
        return int(embedding.in_features)

    def attending(self, batch: Batch) -> AbstractContextManager[None]:
        """Has the model attend as a batch needs it."""
        if batch.packed is None:
            return grouped_sdpa(self.model)
        return packed_attention(self.model, batch.packed)

    def showing(self, rows: Sequence[TokenIds]) -> AbstractContextManager[None]:
        """Has the model see the pictures of some rows while the block runs."""
        return nullcontext() if self.sight is None else self.sight.shown(rows)

    def beside(
        self,
        rows: Sequence[TokenIds],
        prompts: Sequence[int],
        before: Sequence[TokenIds] | None = None,
    ) -> dict[str, Tensor]:
        """What the model takes beside some rows' token ids; see `Sight.inputs`."""
        return {} if self.sight is None else self.sight.inputs(rows, prompts, before)

    def beside_steps(self, prompt: TokenIds, rows: int, n: int) -> dict[str, Tensor]:
        """What the model takes beside steps of `n` tokens, from the last of one prompt on."""
        if self.sight is None or not self.sight.counts_in_three:
            return {}
        return {"position_ids": self.steps_after([prompt], n).expand(-1, rows, -1)}

    def run(self, prefix: TokenIds) -> PrefixStates:
        """Runs a prefix through the model."""
        return run_prefix(self.model, prefix, self.sight)

    def steps_after(self, prompts: Sequence[TokenIds], n: int) -> Tensor:
        """Positions of steps from the last token of prompts on.

        Args:
            prompts: Prompts whose last token is text.
            n: How many tokens a step has.

        Returns:
            `(len(prompts), n)`, or `(3, len(prompts), n)` for a model that counts in three.
        """
        if self.sight is None or not self.sight.counts_in_three:
            starts = torch.tensor([len(ids) - 1 for ids in prompts])
        else:
            starts = torch.stack([self.sight.positions(ids)[:, -1] for ids in prompts], dim=1)
        return (starts[..., None] + torch.arange(n)).to(self.model.device)

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
    before: TokenIds


def _planned(
    frozen: FrozenModel, requests: Sequence[Request], progress: bool, description: str
) -> Iterator[_Planned]:
    groups = sharing_groups(requests, share=frozen.shares_prefixes)
    with progress_bar(description, len(requests), enabled=progress) as bar:
        for group in groups:
            kept = beginning_of(requests, group) if frozen.shares_prefixes else ()
            shared = replace(group, prefix=kept) if kept else group
            if not _may_share(frozen, requests, shared):
                shared, kept = replace(group, prefix=()), ()
            prefix = _states(frozen, shared, is_kept=bool(kept))
            for batch in frozen.batches(requests, shared):
                yield _Planned(batch, prefix, shared.prefix)
                bar.advance(len(batch.rows))


def _states(frozen: FrozenModel, group: SharingGroup, *, is_kept: bool) -> PrefixStates | None:
    if is_kept:
        return frozen.beginnings.states(group.prefix)
    return frozen.run(group.prefix) if group.prefix else None


def _may_share(frozen: FrozenModel, requests: Sequence[Request], group: SharingGroup) -> bool:
    """Whether what follows a group's prefix may be run behind it."""
    skip = len(group.prefix)
    sight = frozen.sight
    return (
        not skip
        or sight is None
        or all(sight.may_follow(requests[row].ids[skip:]) for row in group.rows)
    )


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
