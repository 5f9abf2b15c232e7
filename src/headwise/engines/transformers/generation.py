"""Steered text generation with a key-value cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import GenerationConfig

from headwise.engines.base import Sampling
from headwise.engines.transformers.forward import FrozenModel
from headwise.engines.transformers.hooks import PreHook, installed
from headwise.engines.transformers.locate import LocatedLayer
from headwise.engines.transformers.tokens import PromptEncoder
from headwise.heads import Steering
from headwise.progress import progress_bar


@torch.no_grad()
def generate_texts(
    frozen: FrozenModel,
    encoder: PromptEncoder,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    steering: Steering | None,
    *,
    progress: bool,
) -> list[str]:
    """Generates a continuation of every prompt.

    Args:
        frozen: The model.
        encoder: Its tokenizer, for stop strings and decoding.
        prompts: `n` token sequences.
        sampling: How tokens are picked.
        steering: Heads to steer.
        progress: Whether to show a progress bar.

    Returns:
        `n` texts.
    """
    order = sorted(range(len(prompts)), key=lambda row: -len(prompts[row]))
    texts = [""] * len(prompts)
    with progress_bar("Generating", len(prompts), enabled=progress) as bar, _seeded(sampling):
        start = 0
        while start < len(order):
            longest = len(prompts[order[start]]) + sampling.max_new_tokens
            rows = order[start : start + max(1, frozen.token_budget // longest)]
            batch = [prompts[row] for row in rows]
            for row, text in zip(
                rows, _one_batch(frozen, encoder, batch, sampling, steering), strict=True
            ):
                texts[row] = text
            start += len(rows)
            bar.advance(len(rows))
    return texts


@contextmanager
def _seeded(sampling: Sampling) -> Iterator[None]:
    """Seeds the sampling and gives the caller's random state back."""
    if sampling.temperature <= 0:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(sampling.seed)
        yield


def _one_batch(
    frozen: FrozenModel,
    encoder: PromptEncoder,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    steering: Steering | None,
) -> list[str]:
    longest = max(map(len, prompts))
    input_ids = torch.full((len(prompts), longest), frozen.pad_id, dtype=torch.long)
    attention_mask = torch.zeros_like(input_ids)
    for row, ids in enumerate(prompts):
        input_ids[row, longest - len(ids) :] = torch.tensor(list(ids))
        attention_mask[row, longest - len(ids) :] = 1
    hooks: dict[nn.Module, PreHook] = {}
    if steering is not None and len(steering.heads):
        hooks = generation_hooks(steering, frozen.located)
    device = frozen.model.device
    with installed(hooks):
        generate: Callable[..., Tensor] = frozen.model.generate  # type: ignore[assignment]
        output = generate(
            input_ids=input_ids.to(device),
            attention_mask=attention_mask.to(device),
            generation_config=_generation_config(frozen, sampling),
            tokenizer=encoder.tokenizer if sampling.stop else None,
        )
    return [
        _cut_at_stop(encoder.decode(row.tolist()), sampling.stop) for row in output[:, longest:]
    ]


def _generation_config(frozen: FrozenModel, sampling: Sampling) -> GenerationConfig:
    own = frozen.model.generation_config
    return GenerationConfig(
        max_new_tokens=sampling.max_new_tokens,
        do_sample=sampling.temperature > 0,
        temperature=sampling.temperature if sampling.temperature > 0 else None,
        top_p=sampling.top_p if sampling.temperature > 0 else None,
        top_k=0 if sampling.temperature > 0 else None,
        stop_strings=list(sampling.stop) or None,
        eos_token_id=own.eos_token_id if own is not None else None,
        bos_token_id=own.bos_token_id if own is not None else None,
        pad_token_id=frozen.pad_id,
    )


def _cut_at_stop(text: str, stop: tuple[str, ...]) -> str:
    ends = [position for position in (text.find(s) for s in stop) if position >= 0]
    return text[: min(ends)] if ends else text


def generation_hooks(
    steering: Steering, located: tuple[LocatedLayer, ...]
) -> dict[nn.Module, PreHook]:
    """Hooks that steer the last token of each pass of a generation that pads on the left.

    Args:
        steering: What to put where; with positions "prompt" only the first pass is steered.
        located: The model's layers.

    Returns:
        One hook for each steered layer, for one generation only: they count passes.
    """
    layers = {entry.layer: entry for entry in located}
    return {
        layers[number].projection: _last_token_hook(steering, layers[number], heads, vectors)
        for number, (heads, vectors) in steering.by_layer().items()
    }


def _last_token_hook(
    steering: Steering, entry: LocatedLayer, heads: Tensor, vectors: Tensor
) -> PreHook:
    passes = 0
    ready: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def hook(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        nonlocal passes
        passes += 1
        if passes > 1 and steering.positions == "prompt":
            return None
        inputs = args[0]
        if inputs.device not in ready:
            ready[inputs.device] = (
                heads.to(inputs.device),
                vectors.to(inputs.device, inputs.dtype),
            )
        numbers, put = ready[inputs.device]
        edited = inputs.clone()
        last = edited.view(*inputs.shape[:-1], entry.n_heads, entry.head_dim)[:, -1]
        if steering.operation == "replace":
            last[:, numbers] = put
        else:
            last[:, numbers] += steering.scale * put
        return (edited, *args[1:])

    return hook
