"""Random choice of tokens that depends on nothing but a seed and the prompt.

The Gumbel-max trick: of log-probabilities with independent Gumbel noise added, the largest is a
sample. Each row draws its noise from a generator of its own, so that neither the other rows, nor
their number and order, nor torch's global random state matter, and none of them changes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from headwise.engines.base import Sampling
from headwise.engines.transformers.batching import TokenIds

# Below it, logits divided by it may overflow; it is as greedy as can be.
_LOWEST_TEMPERATURE = 1e-6


class GumbelNoise(LogitsProcessor):
    """Adds Gumbel noise to scores, so that the largest is a sample of them.

    Args:
        seeds: One seed a row.
        device: Where the scores will be.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores `(rows, vocabulary)` with noise added."""
        waits = torch.empty_like(scores)
        for row, generator in zip(waits, self._generators, strict=True):
            row.exponential_(generator=generator)
        # A wait of 0 would turn a forbidden token's -inf into NaN.
        return scores - waits.clamp_min_(torch.finfo(waits.dtype).tiny).log_()


def sampling_processors(
    sampling: Sampling, seeds: Sequence[int], device: torch.device
) -> LogitsProcessorList:
    """What turns logits into scores of which the largest is the next token.

    Args:
        sampling: How tokens are picked.
        seeds: One seed a row.
        device: Where the logits will be.

    Returns:
        The processors; none where sampling is greedy.
    """
    processors = LogitsProcessorList()
    if sampling.temperature > 0:
        temperature = max(float(sampling.temperature), _LOWEST_TEMPERATURE)
        processors.append(TemperatureLogitsWarper(temperature))
        if sampling.top_p < 1:
            processors.append(TopPLogitsWarper(float(sampling.top_p)))
        processors.append(GumbelNoise(seeds, device))
    return processors


def row_seeds(seed: int, prompts: Sequence[Sequence[int]]) -> list[int]:
    """One seed a prompt, from the caller's seed and the prompt's tokens.

    A prompt that occurs several times has a seed of its own each time, so that `n` copies of it
    give `n` different samples.

    Args:
        seed: The caller's seed.
        prompts: Token ids, in the order given by the caller.

    Returns:
        Seeds, each below 2**63.
    """
    seen: Counter[TokenIds] = Counter()
    seeds = []
    for prompt in prompts:
        ids = tuple(prompt)
        digest = hashlib.sha256(json.dumps([seed, seen[ids], ids]).encode()).digest()
        seeds.append(int.from_bytes(digest[:8], "big") >> 1)
        seen[ids] += 1
    return seeds
