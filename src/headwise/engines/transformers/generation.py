"""Steered text generation with a key-value cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    StoppingCriteria,
    StoppingCriteriaList,
    StopStringCriteria,
)
from transformers.generation.streamers import BaseStreamer

from headwise.engines.base import Sampling
from headwise.engines.sampling import cut_at_stop
from headwise.engines.transformers.batching import left_padded
from headwise.engines.transformers.begun_prompts import (
    Beginning,
    columns_begun,
    prompt_batches,
    rests,
)
from headwise.engines.transformers.frozen import FrozenModel
from headwise.engines.transformers.hooks import PreHook, installed
from headwise.engines.transformers.locate import LocatedLayer
from headwise.engines.transformers.sampling import row_seeds, sampling_processors
from headwise.engines.transformers.tokens import PromptEncoder
from headwise.heads import Steering
from headwise.progress import progress_bar


@dataclass(frozen=True, slots=True)
class PromptRow:
    """A prompt to be continued.

    Args:
        ids: Its tokens.
        seed: Seed of its sampling.
    """

    ids: Sequence[int]
    seed: int


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

    Of the model's own generation settings only the token ids count: a penalty or a beam search
    that comes with a checkpoint would make answers depend on more than the arguments here.

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
    everyone = [
        PromptRow(*pair) for pair in zip(prompts, row_seeds(sampling.seed, prompts), strict=True)
    ]
    texts = [""] * len(prompts)
    with (
        progress_bar("Generating", len(prompts), enabled=progress) as bar,
        own_settings_aside(frozen.model, frozen.pad_id),
    ):
        ids = [tuple(prompt) for prompt in prompts]
        for batch in prompt_batches(frozen, ids, sampling.max_new_tokens):
            rows = [everyone[row] for row in batch.rows]
            said = _one_batch(frozen, encoder, rows, sampling, steering, batch.beginning)
            for row, text in zip(batch.rows, said, strict=True):
                texts[row] = text
            bar.advance(len(rows))
    return texts


@contextmanager
def own_settings_aside(model: PreTrainedModel, pad_id: int) -> Iterator[None]:
    """Leaves of the model's generation settings its special tokens, until the block ends.

    transformers fills every setting that a call leaves at None from the model's own, and for many
    None is the only neutral value.
    """
    own = model.generation_config
    model.generation_config = GenerationConfig(
        eos_token_id=getattr(own, "eos_token_id", None),
        bos_token_id=getattr(own, "bos_token_id", None),
        pad_token_id=pad_id,
    )
    try:
        yield
    finally:
        model.generation_config = own


def _one_batch(
    frozen: FrozenModel,
    encoder: PromptEncoder,
    rows: Sequence[PromptRow],
    sampling: Sampling,
    steering: Steering | None,
    beginning: Beginning | None,
) -> list[str]:
    longest = max(len(row.ids) for row in rows)
    output = generate_ids(frozen, encoder, rows, sampling, steering, beginning=beginning)
    return [text_of(frozen, encoder, ids, sampling) for ids in output[:, longest:].tolist()]


def generate_ids(
    frozen: FrozenModel,
    encoder: PromptEncoder,
    rows: Sequence[PromptRow],
    sampling: Sampling,
    steering: Steering | None,
    streamer: BaseStreamer | None = None,
    stopping: Sequence[StoppingCriteria] = (),
    beginning: Beginning | None = None,
) -> Tensor:
    """Continues the prompts of one batch; the model's own settings must be aside.

    Args:
        frozen: The model.
        encoder: Its tokenizer, for stop strings.
        rows: The prompts.
        sampling: How tokens are picked.
        steering: Heads to steer.
        streamer: Given every token as it is picked; with one row.
        stopping: Further reasons to end.
        beginning: What all prompts begin with, which is not run again.

    Returns:
        `(len(rows), t)` token ids, prompts padded on the left and what follows on the right.
    """
    device = frozen.model.device
    everyone = [tuple(row.ids) for row in rows]
    input_ids, attention_mask = left_padded(everyone, frozen.pad_id)
    longest = input_ids.shape[1]
    begun = 0 if beginning is None else columns_begun(frozen, everyone, len(beginning.ids))
    hooks: dict[nn.Module, PreHook] = {}
    if steering is not None and len(steering.heads):
        hooks = generation_hooks(steering, frozen.located, longest - begun)
    criteria = StoppingCriteriaList(stopping)
    if sampling.stop:
        criteria.append(_StopStrings(encoder.tokenizer, list(sampling.stop), longest))
    model: Any = frozen.model
    run = rests(everyone, begun)
    beside: dict[str, Any] = {}
    if frozen.sight is not None:
        beside = {**frozen.sight.inputs(run, [len(ids) for ids in run], on_left=True)}
    if beginning is not None and begun:
        beside["past_key_values"] = beginning.cache(everyone, begun)
    with frozen.showing(run), installed(hooks):
        output: Tensor = model.generate(
            input_ids=input_ids.to(device),
            attention_mask=attention_mask.to(device),
            generation_config=GenerationConfig(
                max_new_tokens=sampling.max_new_tokens, do_sample=False
            ),
            logits_processor=sampling_processors(sampling, [row.seed for row in rows], device),
            stopping_criteria=criteria,
            streamer=streamer,
            **beside,
        )
    return output


def text_of(frozen: FrozenModel, encoder: PromptEncoder, ids: list[int], sampling: Sampling) -> str:
    """The text of generated tokens, up to the model's end or a stop string."""
    return cut_at_stop(encoder.decode(_up_to_the_end(ids, _end_ids(frozen.model))), sampling)


class _StopStrings(StopStringCriteria):
    """Looks for stop strings in what was generated, not across the end of the prompt."""

    def __init__(self, tokenizer: Any, stop_strings: list[str], prompt_length: int) -> None:
        super().__init__(tokenizer, stop_strings)
        self._prompt_length = prompt_length

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        return super().__call__(input_ids[:, self._prompt_length :], scores, **kwargs)


def _end_ids(model: PreTrainedModel) -> frozenset[int]:
    ends = getattr(model.generation_config, "eos_token_id", None)
    if ends is None:
        return frozenset()
    return frozenset([ends] if isinstance(ends, int) else ends)


def _up_to_the_end(ids: list[int], ends: frozenset[int]) -> list[int]:
    # What follows is padding, which need not be a special token.
    end = next((place for place, token in enumerate(ids) if token in ends), len(ids))
    return ids[: end + 1]


def generation_hooks(
    steering: Steering, located: tuple[LocatedLayer, ...], prompt_length: int
) -> dict[nn.Module, PreHook]:
    """Hooks that steer the last token of each pass of a generation that pads on the left.

    Args:
        steering: What to put where; with positions "prompt" only the prompt's last token.
        located: The model's layers.
        prompt_length: Tokens of the padded prompts that are run.

    Returns:
        One hook for each steered layer, for one generation only: they count tokens.
    """
    layers = {entry.layer: entry for entry in located}
    return {
        layers[number].projection: _last_token_hook(
            steering, layers[number], heads, vectors, prompt_length
        )
        for number, (heads, vectors) in steering.by_layer().items()
    }


def _last_token_hook(
    steering: Steering, entry: LocatedLayer, heads: Tensor, vectors: Tensor, prompt_length: int
) -> PreHook:
    seen = 0
    ready: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def hook(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        nonlocal seen
        inputs = args[0]
        seen += inputs.shape[-2]
        # Tokens are counted, not passes: a prompt may be run in pieces.
        within_prompt = seen < prompt_length
        if within_prompt or (seen > prompt_length and steering.positions == "prompt"):
            return None
        if inputs.device not in ready:
            put = vectors.to(inputs.device, inputs.dtype)
            ready[inputs.device] = heads.to(inputs.device), put
        numbers, put = ready[inputs.device]
        edited = inputs.clone()
        last = edited.view(*inputs.shape[:-1], entry.n_heads, entry.head_dim)[:, -1]
        if steering.operation == "replace":
            last[:, numbers] = put
        else:
            last[:, numbers] += steering.scale * put
        return (edited, *args[1:])

    return hook
