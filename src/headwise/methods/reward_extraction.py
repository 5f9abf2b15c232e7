"""Extraction: the mean head activations that the chosen heads are replaced by."""

from __future__ import annotations

from typing import Literal

import numpy as np

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.heads import HeadActivations, HeadVectors
from headwise.methods.reward_support import BAD, GOOD, JudgedSupport
from headwise.prompts.conversation import Conversation
from headwise.prompts.reward import RewardPrompt

Extraction = Literal["open", "in_context", "positive"]


def extract_vectors(
    extraction: Extraction,
    engine: Engine,
    prompt: RewardPrompt,
    support: JudgedSupport,
    activations: HeadActivations,
    *,
    shots_per_prompt: int,
    n_prompts: int,
    seed: int,
    progress: bool,
) -> HeadVectors:
    """The vectors of an extraction.

    Args:
        extraction: `"open"` averages all support conversations with the judgement left open,
            `"positive"` only those of good responses, `"in_context"` averages prompts that show
            some judged examples before an open one, as task vectors do.
        engine: The frozen model.
        prompt: How responses are judged.
        support: The support set.
        activations: Its activations, all heads.
        shots_per_prompt: Judged examples in each in-context prompt.
        n_prompts: How many in-context prompts are averaged.
        seed: Seed of the draw of in-context prompts.
        progress: Whether to show a progress bar.

    Returns:
        One vector a head.

    Source: arXiv:2507.01368, activation extraction; METHODS.md section 3 lists the readings.
    """
    if extraction == "open":
        return activations.mean()
    if extraction == "positive":
        good = [row for row, label in enumerate(support.labels.tolist()) if label == GOOD]
        return activations.rows(good).mean()
    if extraction == "in_context":
        prompts = in_context_prompts(prompt, support, shots_per_prompt, n_prompts, seed)
        return engine.capture(prompts, progress=progress).mean()
    raise InputError(f"extraction is 'open', 'positive' or 'in_context'; got {extraction!r}.")


def in_context_prompts(
    prompt: RewardPrompt, support: JudgedSupport, shots: int, n_prompts: int, seed: int
) -> list[Conversation]:
    """Prompts that show balanced judged examples and then an open one of another group.

    Args:
        prompt: How responses are judged.
        support: The support set.
        shots: Judged examples a prompt; fewer where the support is small.
        n_prompts: How many prompts.
        seed: Seed of the draw.

    Returns:
        `n_prompts` conversations.
    """
    random = np.random.default_rng(seed)
    labels = support.labels.tolist()
    prompts = []
    for number in range(n_prompts):
        query = int(random.integers(len(support)))
        others = [
            row for row in range(len(support)) if support.groups[row] != support.groups[query]
        ]
        # The first example's judgement alternates, so that neither answer comes first more often.
        chosen = _balanced_draw(random, others, labels, shots, first=number % 2)
        examples = tuple(
            (support.conversations[row], prompt.answers[labels[row]]) for row in chosen
        )
        prompts.append(prompt.with_shots(examples, support.conversations[query]))
    return prompts


def _balanced_draw(
    random: np.random.Generator, rows: list[int], labels: list[int], count: int, first: int
) -> list[int]:
    piles = {
        label: random.permutation([row for row in rows if labels[row] == label]).tolist()
        for label in (GOOD, BAD)
    }
    drawn: list[int] = []
    label = first
    while len(drawn) < count and (piles[GOOD] or piles[BAD]):
        if piles[label]:
            drawn.append(int(piles[label].pop()))
        label = 1 - label
    return drawn
