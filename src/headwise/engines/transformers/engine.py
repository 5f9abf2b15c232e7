"""`TransformersEngine`: the reference engine, on any decoder that transformers loads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from headwise.engines.base import ModelFingerprint, Sampling, TruncatedText
from headwise.engines.transformers.batching import Request
from headwise.engines.transformers.candidates import plan_candidates
from headwise.engines.transformers.fingerprint import fingerprint_of
from headwise.engines.transformers.forward import FrozenModel, logprobs_at_spots, read_heads
from headwise.engines.transformers.generation import generate_texts
from headwise.engines.transformers.locate import layout_of, locate_heads
from headwise.engines.transformers.masks import Strategy, Variants, choose_strategy, variant_losses
from headwise.engines.transformers.prefixes import PrefixStore, supports_prefixes
from headwise.engines.transformers.tokens import PromptEncoder
from headwise.engines.transformers.verify import verify_heads
from headwise.errors import InputError
from headwise.heads import HeadActivations, HeadLayout, HeadSet, HeadVectors, Steering
from headwise.progress import progress_bar
from headwise.prompts.conversation import Conversation

CPU_TOKEN_BUDGET = 2_048
GPU_TOKEN_BUDGET = 16_384
PREFIX_BYTES = 2 * 1024**3


class TransformersEngine:
    """Reads and steers a transformers model; see `headwise.engines.base.Engine`.

    The model, its tokenizer and their configuration are left as they were: the engine only adds
    hooks for the duration of a call.

    Args:
        model: A causal language model; it is put into evaluation mode.
        tokenizer: Its tokenizer.
        model_id: The name artifacts remember it by.
        revision: Its commit or tag, where known.
        token_budget: Padded tokens a batch may have; by device where None.
        prefix_bytes: Memory that kept prefixes (keys and values) may take in `mask_losses`.
        chat_template: Keyword arguments for the chat template, such as `enable_thinking=False`.
        verify_layout: Whether to check numerically that the located slices are heads.

    Raises:
        LayoutError: The attention heads could not be found with certainty.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        model_id: str = "local",
        revision: str | None = None,
        token_budget: int | None = None,
        prefix_bytes: int = PREFIX_BYTES,
        chat_template: dict[str, Any] | None = None,
        verify_layout: bool = True,
    ) -> None:
        model.eval()
        self.model = model
        self.tokenizer = tokenizer
        located = locate_heads(model)
        if verify_layout:
            verify_heads(model, located)
        self._encoder = PromptEncoder(tokenizer, chat_template)
        if token_budget is None:
            token_budget = CPU_TOKEN_BUDGET if model.device.type == "cpu" else GPU_TOKEN_BUDGET
        self._frozen = FrozenModel(
            model, located, token_budget, self._encoder.pad_id, supports_prefixes(model)
        )
        self._layout = layout_of(located)
        self._fingerprint = fingerprint_of(
            model, self._layout, model_id, revision, self._encoder.template_hash
        )
        self._prefixes = PrefixStore(model, prefix_bytes)
        self._strategies: dict[int, Strategy] = {}

    def __repr__(self) -> str:
        return (
            f"TransformersEngine({self._fingerprint.model_id!r}, "
            f"{len(self._layout.layers)} layers, {self._layout.n_heads} heads, "
            f"{self._fingerprint.dtype} on {self.model.device})"
        )

    @property
    def fingerprint(self) -> ModelFingerprint:
        """What model this is."""
        return self._fingerprint

    @property
    def layout(self) -> HeadLayout:
        """The heads the model has."""
        return self._layout

    def capture(
        self,
        conversations: Sequence[Conversation],
        heads: HeadSet | None = None,
        *,
        progress: bool = False,
    ) -> HeadActivations:
        """Last-token head outputs; see `Engine.capture`."""
        layout = self._layout if heads is None else self._layout.restricted_to(heads.layers)
        layers = tuple(entry.layer for entry in layout.layers)
        requests = [Request.last_token(self._encoder.encode(c)) for c in conversations]
        if not requests:
            empty = tuple(torch.empty(0, e.n_heads, e.head_dim) for e in layout.layers)
            return HeadActivations(layout, empty)
        values = read_heads(self._frozen, requests, layers, progress=progress)
        activations = HeadActivations(layout, tuple(values))
        activations.check_finite()
        return activations

    def token_logprobs(
        self,
        conversations: Sequence[Conversation],
        candidates: Sequence[str],
        steering: Steering | None = None,
        *,
        progress: bool = False,
    ) -> Tensor:
        """Log-probability of each candidate continuation; see `Engine.token_logprobs`."""
        if not candidates:
            raise InputError("token_logprobs needs one candidate at least.")
        requests: list[Request] = []
        wanted: list[list[tuple[int, ...]]] = []
        places: list[list[tuple[int, int]]] = []
        for conversation in conversations:
            plan = plan_candidates(self._encoder, conversation, candidates)
            places.append([(len(requests) + number, column) for number, column in plan.places])
            requests.extend(plan.requests)
            wanted.extend(plan.wanted)
        found = logprobs_at_spots(self._frozen, requests, wanted, steering, progress=progress)
        result = torch.empty(len(conversations), len(candidates), dtype=torch.float64)
        for row, columns in enumerate(places):
            for candidate, (number, column) in enumerate(columns):
                rest = sum(float(values[0]) for values in found[number][1:])
                result[row, candidate] = float(found[number][0][column]) + rest
        return result

    def mask_losses(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        vectors: HeadVectors,
        masks: Tensor,
        *,
        target_tokens: int | None = 1,
        among: Sequence[str] | None = None,
        progress: bool = False,
    ) -> Tensor:
        """Losses of many steered variants; see `Engine.mask_losses`."""
        self._check_masks(conversations, targets, vectors, masks, target_tokens, among)
        losses = torch.empty(len(masks), len(conversations))
        with progress_bar("Steering variants", len(targets), enabled=progress) as bar:
            for column, (conversation, target) in enumerate(
                zip(conversations, targets, strict=True)
            ):
                ids = self._encoder.encode(conversation)
                wanted = self._encoder.encode_target(conversation, target)[:target_tokens]
                rivals = [self._encoder.encode_target(conversation, a)[0] for a in among or ()]
                strategy = self._strategy(len(ids) + len(wanted))
                variants = Variants(tuple(ids), tuple(wanted), vectors, masks, tuple(rivals))
                losses[:, column] = variant_losses(self._frozen, self._prefixes, variants, strategy)
                bar.advance()
        return losses

    def generate(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling | None = None,
        steering: Steering | None = None,
        *,
        progress: bool = False,
    ) -> list[str]:
        """The model's answers; see `Engine.generate`."""
        prompts = [self._encoder.encode(conversation) for conversation in conversations]
        return generate_texts(
            self._frozen,
            self._encoder,
            prompts,
            sampling or Sampling(),
            steering,
            progress=progress,
        )

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        """Cuts a text to a token budget; see `Engine.truncate`."""
        return self._encoder.truncate(text, max_tokens)

    def forget_prefixes(self) -> None:
        """Frees the keys and values that `mask_losses` keeps."""
        self._prefixes.clear()

    def _strategy(self, length: int) -> Strategy:
        # Up to a power of two, so that the trial is made once for similar lengths.
        rounded = 1 << max(length - 1, 1).bit_length()
        if rounded not in self._strategies:
            self._strategies[rounded] = choose_strategy(self._frozen, rounded)
        return self._strategies[rounded]

    def _check_masks(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        vectors: HeadVectors,
        masks: Tensor,
        target_tokens: int | None,
        among: Sequence[str] | None,
    ) -> None:
        if len(conversations) != len(targets):
            raise InputError(
                f"mask_losses needs one target a conversation; got {len(conversations)} "
                f"conversations and {len(targets)} targets."
            )
        if vectors.layout != self._layout:
            raise InputError("mask_losses needs a vector for every head of this model's layout.")
        if masks.ndim != 2 or masks.shape[1] != self._layout.n_heads or masks.dtype != torch.bool:
            raise InputError(
                f"masks must be a bool tensor (S, {self._layout.n_heads}); got {masks.dtype} "
                f"{tuple(masks.shape)}."
            )
        if target_tokens is not None and target_tokens < 1:
            raise InputError(f"target_tokens is at least 1, or None for all; got {target_tokens}.")
        if among is not None and (target_tokens != 1 or not set(targets) <= set(among)):
            raise InputError("among needs target_tokens=1, and every target must be among them.")
