"""`TransformersEngine`: the reference engine, on any decoder that transformers loads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

from headwise.engines.base import HeadEffects, ModelFingerprint, Sampling, TruncatedText
from headwise.engines.sampling import check_sampling
from headwise.engines.transformers.batching import Request
from headwise.engines.transformers.candidates import (
    CandidatePlans,
    competing_tokens,
    plan_candidates,
)
from headwise.engines.transformers.checks import (
    check_finite,
    check_heads,
    check_masks,
    check_paired,
    check_steering,
    check_strengths,
    checked_steerings,
)
from headwise.engines.transformers.differentiable import logprobs_with_gradients
from headwise.engines.transformers.fingerprint import fingerprint_of, weights_state
from headwise.engines.transformers.forward import logprobs_at_spots, read_heads, read_hidden
from headwise.engines.transformers.frozen import FrozenModel, Packing
from headwise.engines.transformers.generation import generate_texts
from headwise.engines.transformers.gradients import head_effects
from headwise.engines.transformers.kept_beginnings import KeptBeginnings
from headwise.engines.transformers.locate import layout_of, locate_heads
from headwise.engines.transformers.masks import Strategy, Variants, variant_losses
from headwise.engines.transformers.modes import evaluation_mode
from headwise.engines.transformers.packing_trial import packing_works, shortest_window
from headwise.engines.transformers.prefix_store import PrefixStore
from headwise.engines.transformers.prefixes import run_prefix, supports_prefixes
from headwise.engines.transformers.reproducible import ask_for_reproducible_products
from headwise.engines.transformers.sight import sight_of, why_blind
from headwise.engines.transformers.strategy import StrategyChooser
from headwise.engines.transformers.streaming import stream_text
from headwise.engines.transformers.tokens import PromptEncoder
from headwise.engines.transformers.variant_batches import variant_batches
from headwise.engines.transformers.verify import verify_heads
from headwise.errors import InputError
from headwise.heads import HeadActivations, HeadLayout, HeadSet, HeadVectors, Steering, Steerings
from headwise.progress import progress_bar
from headwise.prompts.conversation import Conversation

CPU_TOKEN_BUDGET = 2_048
GPU_TOKEN_BUDGET = 16_384
PREFIX_BYTES = 2 * 1024**3
SPILLED_PREFIX_BYTES = 16 * 1024**3
BEGINNING_BYTES = 256 * 1024**2


class TransformersEngine:
    """Reads and steers a transformers model; see `headwise.engines.base.Engine`.

    The model, its tokenizer and their configuration are left as they were. For the duration of a
    call only, the engine adds hooks, puts the model into evaluation mode, and in `generate` sets
    the model's own generation settings aside but for its special tokens. So one model serves one
    call at a time.

    Args:
        model: A causal language model, or one that takes images beside text, in any mode.
        tokenizer: Its tokenizer; or its processor, which has one.
        processor: Its processor, where it is to be shown images and is not given as `tokenizer`.
        processor_error: Why its processor could not be loaded, for whoever shows it an image.
        model_id: The name artifacts remember it by.
        revision: Its commit or tag, where known.
        token_budget: Padded tokens a batch may have; by device where None.
        prefix_bytes: Memory that kept prefixes (keys and values) may take in `mask_losses`, where
            the model is.
        spilled_prefix_bytes: Memory that further ones may take on the CPU, with a model on a GPU.
        beginning_bytes: Memory that keys and values of what conversations of one template begin
            with (`Conversation.like`) may take from one call to the next, where the model is; 0
            runs them anew in each call.
        chat_template: Keyword arguments for the chat template, such as `enable_thinking=False`.
        verify_layout: Whether to check numerically that the located slices are heads.

    Raises:
        LayoutError: The attention heads could not be found with certainty.
        InputError: The model's prompts cannot be made without its processor (PaliGemma).
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase | ProcessorMixin,
        *,
        processor: ProcessorMixin | None = None,
        processor_error: str | None = None,
        model_id: str = "local",
        revision: str | None = None,
        token_budget: int | None = None,
        prefix_bytes: int = PREFIX_BYTES,
        spilled_prefix_bytes: int = SPILLED_PREFIX_BYTES,
        beginning_bytes: int = BEGINNING_BYTES,
        chat_template: dict[str, Any] | None = None,
        verify_layout: bool = True,
    ) -> None:
        if isinstance(tokenizer, ProcessorMixin):
            processor, own = tokenizer, tokenizer.tokenizer
        else:
            own = tokenizer
        self.model = model
        self.tokenizer: PreTrainedTokenizerBase = own
        self.processor = processor
        ask_for_reproducible_products(model)
        located = locate_heads(model)
        if verify_layout:
            verify_heads(model, located)
        sight = sight_of(model, processor)
        reader = None if sight is None else sight.reader
        self._encoder = PromptEncoder(
            self.tokenizer, chat_template, reader, why_blind(model, model_id, processor_error)
        )
        if token_budget is None:
            token_budget = CPU_TOKEN_BUDGET if model.device.type == "cpu" else GPU_TOKEN_BUDGET
        run = partial(run_prefix, model, sight=sight)
        self._frozen = FrozenModel(
            model,
            located,
            1 if sight is not None and sight.rows_run_alone else token_budget,
            self._encoder.pad_id,
            supports_prefixes(model)
            and not any(entry.reads_pictures for entry in located)
            and (sight is None or sight.shares_prefixes),
            KeptBeginnings(run, beginning_bytes),
            sight,
            Packing(packing_works, shortest_window(model)),
        )
        self._layout = layout_of(located)
        self._fingerprint = fingerprint_of(
            model, self._layout, model_id, revision, self._encoder.template_hash, processor
        )
        on_cpu = model.device.type == "cpu"
        self._prefixes = PrefixStore(run, prefix_bytes, 0 if on_cpu else spilled_prefix_bytes)
        self._strategies = StrategyChooser(self._frozen)
        self._weights_state = weights_state(model)

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
        check_heads(self._layout, heads)
        layout = self._layout if heads is None else self._layout.restricted_to(heads.layers)
        layers = tuple(entry.layer for entry in layout.layers)
        requests = self._last_token_requests(conversations)
        if not requests:
            empty = tuple(torch.empty(0, e.n_heads, e.head_dim) for e in layout.layers)
            return HeadActivations(layout, empty)
        self._forget_if_trained()
        with evaluation_mode(self.model):
            values = read_heads(self._frozen, requests, layers, progress=progress)
        activations = HeadActivations(layout, tuple(values))
        activations.check_finite()
        return activations

    def token_logprobs(
        self,
        conversations: Sequence[Conversation],
        candidates: Sequence[str],
        steering: Steerings = None,
        *,
        progress: bool = False,
    ) -> Tensor:
        """Log-probability of each candidate continuation; see `Engine.token_logprobs`."""
        if not candidates:
            raise InputError("token_logprobs needs one candidate at least.")
        each = checked_steerings(self._layout, steering, len(conversations))
        plans = CandidatePlans.of(self._encoder, conversations, candidates)
        steered, wanted = plans.of_each_request(each), plans.wanted
        self._forget_if_trained()
        with evaluation_mode(self.model):
            found = logprobs_at_spots(
                self._frozen, plans.requests, wanted, steered, progress=progress
            )
        return plans.summed(found)

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
        check_paired(len(conversations), len(targets))
        check_masks(self._layout, targets, vectors, masks, target_tokens, among)
        # All of them first: one that is refused must not cost the losses of those before it.
        everything = [
            self._variants(conversation, target, vectors, masks, target_tokens, among)
            for conversation, target in zip(conversations, targets, strict=True)
        ]
        losses = torch.empty(len(masks), len(conversations))
        if not len(masks):
            return losses
        self._forget_if_trained()
        with (
            evaluation_mode(self.model),
            progress_bar("Steering variants", len(targets), enabled=progress) as bar,
        ):
            for batch in variant_batches(self._frozen, everything, self._ways(everything)):
                found = variant_losses(self._frozen, self._prefixes, batch.variants, batch.strategy)
                losses[batch.masks, list(batch.columns)] = found
                bar.advance(len(batch.columns))
        return losses

    def head_effects(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        vectors: HeadVectors,
        strengths: Tensor | None = None,
        *,
        target_tokens: int | None = 1,
        among: Sequence[str] | None = None,
        progress: bool = False,
    ) -> HeadEffects:
        """First-order effects of heads; see `GradientEngine.head_effects`."""
        n, n_heads = len(conversations), self._layout.n_heads
        check_paired(n, len(targets))
        nothing = torch.zeros(1, n_heads, dtype=torch.bool)
        check_masks(self._layout, targets, vectors, nothing, target_tokens, among)
        at = check_strengths(strengths, n, n_heads)
        everything = [
            self._variants(conversation, target, vectors, nothing, target_tokens, among)
            for conversation, target in zip(conversations, targets, strict=True)
        ]
        self._forget_if_trained()
        effects, losses = torch.empty(n, n_heads), torch.empty(n)
        with (
            evaluation_mode(self.model),
            progress_bar("Differentiating", n, enabled=progress) as bar,
        ):
            for batch in variant_batches(self._frozen, everything, self._ways(everything)):
                rows = list(batch.columns)
                found = head_effects(
                    self._frozen, self._prefixes, batch.variants, at[rows], batch.strategy
                )
                effects[rows], losses[rows] = found.effects, found.losses
                bar.advance(len(rows))
        check_finite(effects, "gradients")
        return HeadEffects(effects, losses)

    def generate(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling | None = None,
        steering: Steering | None = None,
        *,
        progress: bool = False,
    ) -> list[str]:
        """The model's answers; see `Engine.generate`."""
        sampling = sampling or Sampling()
        check_sampling(sampling)
        check_steering(self._layout, steering)
        prompts = [self._encoder.encode(conversation) for conversation in conversations]
        self._forget_if_trained()
        with evaluation_mode(self.model):
            return generate_texts(
                self._frozen, self._encoder, prompts, sampling, steering, progress=progress
            )

    def stream(
        self,
        conversation: Conversation,
        sampling: Sampling | None = None,
        steering: Steering | None = None,
    ) -> Iterator[str]:
        """The model's answer piece by piece; see `StreamingEngine.stream`."""
        sampling = sampling or Sampling()
        check_sampling(sampling)
        check_steering(self._layout, steering)
        prompt = self._encoder.encode(conversation)
        self._forget_if_trained()
        return stream_text(self._frozen, self._encoder, prompt, sampling, steering)

    def hidden_states(
        self, conversations: Sequence[Conversation], *, progress: bool = False
    ) -> Tensor:
        """Last-token hidden states after the final norm; see `HiddenStateEngine.hidden_states`."""
        requests = self._last_token_requests(conversations)
        self._forget_if_trained()
        with evaluation_mode(self.model):
            states = read_hidden(self._frozen, requests, progress=progress)
        check_finite(states, "hidden states")
        return states

    def differentiable_logprobs(
        self, conversations: Sequence[Conversation], candidates: Sequence[Sequence[str]]
    ) -> list[Tensor]:
        """Log-probabilities with gradients; see `DifferentiableEngine.differentiable_logprobs`."""
        check_paired(len(conversations), len(candidates))
        if not all(candidates):
            raise InputError("A conversation has no candidate; give one at least.")
        pairs = zip(conversations, candidates, strict=True)
        plans = [plan_candidates(self._encoder, one, several) for one, several in pairs]
        with evaluation_mode(self.model):
            return logprobs_with_gradients(self._frozen, plans, self._strategies.choose)

    def count_tokens(self, conversations: Sequence[Conversation]) -> list[int]:
        """How many tokens the model reads of each conversation, its images included.

        Args:
            conversations: `n` conversations.

        Returns:
            `n` numbers.

        Raises:
            InputError: An image cannot be read, or the model sees none.
        """
        return [len(self._encoder.encode(conversation)) for conversation in conversations]

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        """Cuts a text to a token budget; see `Engine.truncate`."""
        return self._encoder.truncate(text, max_tokens)

    def forget_prefixes(self) -> None:
        """Frees the keys and values that are kept from one call to the next."""
        self._prefixes.clear()
        self._frozen.beginnings.clear()
        if self._frozen.sight is not None:
            self._frozen.sight.clear()

    def _forget_if_trained(self) -> None:
        """Keys and values that are kept do not outlive the weights that made them."""
        state = weights_state(self.model)
        if state != self._weights_state:
            self.forget_prefixes()
            self._weights_state = state

    def _last_token_requests(self, conversations: Sequence[Conversation]) -> list[Request]:
        templates: dict[Conversation, list[int]] = {}
        requests = []
        for conversation in conversations:
            like: list[int] = []
            if conversation.like is not None:
                # All of a call usually name equal ones, which need be put to tokens once.
                if conversation.like not in templates:
                    templates[conversation.like] = self._encoder.encode(conversation.like)
                like = templates[conversation.like]
            requests.append(Request.last_token(self._encoder.encode(conversation), like))
        return requests

    def _ways(self, everything: Sequence[Variants]) -> list[Strategy]:
        return [self._strategies.choose(len(one.ids) + len(one.target)) for one in everything]

    def _variants(
        self,
        conversation: Conversation,
        target: str,
        vectors: HeadVectors,
        masks: Tensor,
        target_tokens: int | None,
        among: Sequence[str] | None,
    ) -> Variants:
        ids = tuple(self._encoder.encode(conversation))
        wanted = self._encoder.encode_target(conversation, target)[:target_tokens]
        rivals = () if among is None else competing_tokens(self._encoder, conversation, among)
        return Variants(ids, wanted, vectors, masks, rivals)
