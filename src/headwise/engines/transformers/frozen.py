"""A loaded model, and what the engine knows about running it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
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
)
from headwise.engines.transformers.grouped_attention import grouped_sdpa
from headwise.engines.transformers.kept_beginnings import KeptBeginnings
from headwise.engines.transformers.locate import LocatedLayer
from headwise.engines.transformers.packed_rows import packed_attention
from headwise.engines.transformers.prefixes import PrefixStates, run_prefix
from headwise.engines.transformers.sight import Sight
from headwise.errors import EngineError

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
            call_tokens=self.call_tokens,
        )

    @property
    def call_tokens(self) -> int:
        """What a call of the model costs beside its tokens, in tokens."""
        return _CALL_TOKENS_CPU if self.model.device.type == "cpu" else _CALL_TOKENS_GPU

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
        if not self.counts_in_three:
            return {}
        return {"position_ids": self.steps_after([prompt], n).expand(-1, rows, -1)}

    def run(self, prefix: TokenIds, behind: PrefixStates | None = None) -> PrefixStates:
        """Runs a prefix through the model, behind a beginning of it that was run before."""
        return run_prefix(self.model, prefix, self.sight, behind)

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
    def counts_in_three(self) -> bool:
        """Whether positions are three numbers each, as those of pictures are in some models."""
        return self.sight is not None and self.sight.counts_in_three

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
