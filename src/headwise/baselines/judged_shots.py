"""Judged examples that are shown to a model before it is asked to judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from headwise.baselines.text_budget import text_cutter
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Judgement, Preference
from headwise.methods.reward_support import (
    BAD,
    GOOD,
    JudgedSupport,
    ranked_support,
    scalar_support,
)
from headwise.prompts.conversation import Conversation
from headwise.prompts.reward import RewardPrompt

Shots: TypeAlias = tuple[tuple[Conversation, str], ...]
"""Questions with the judgement that each should get."""


def check_n_shots(n_shots: int) -> None:
    """Checks a number of examples to show.

    Raises:
        InputError: It is negative.
    """
    if n_shots < 0:
        raise InputError(f"n_shots is 0 (zero-shot) or more; got {n_shots}.")


def judged_shots(
    engine: Engine,
    preferences: Sequence[Preference | Judgement],
    prompt: RewardPrompt,
    n_shots: int,
    *,
    max_text_tokens: int | None,
    seed: int,
) -> Shots:
    """Draws judged examples out of a support set.

    Judgements take turns, so that neither is shown more often. No pair is shown a second time
    before all have been.

    Args:
        engine: The model, which counts tokens of long texts.
        preferences: The support set; not looked at where no shots are wanted.
        prompt: How responses are judged.
        n_shots: How many judged examples; fewer where there are not as many.
        max_text_tokens: Longer texts are cut in the middle; None cuts none.
        seed: Seed of the draw.

    Returns:
        The shots, in the order in which they are shown.

    Raises:
        InputError: Shots are wanted, and there are no preferences, or good (or bad) ones only.
    """
    if not n_shots:
        return ()
    cutter = text_cutter(engine, max_text_tokens)
    build = scalar_support if prompt.form == "scalar" else ranked_support
    support = build(preferences, prompt, cutter)
    cutter.report("support texts", "max_text_tokens")
    labels = support.labels.tolist()
    return tuple(
        (support.conversations[row], prompt.answers[labels[row]])
        for row in _drawn_rows(support, n_shots, seed)
    )


def _drawn_rows(support: JudgedSupport, count: int, seed: int) -> list[int]:
    random = np.random.default_rng(seed)
    waiting = [int(row) for row in random.permutation(len(support))]
    labels = support.labels.tolist()
    label = (GOOD, BAD)[int(random.integers(2))]
    drawn: list[int] = []
    n_shown = dict.fromkeys(support.groups, 0)
    while len(drawn) < count:
        right = [row for row in waiting if labels[row] == label]
        if not right:
            break
        row = min(right, key=lambda candidate: n_shown[support.groups[candidate]])
        waiting.remove(row)
        n_shown[support.groups[row]] += 1
        drawn.append(row)
        label = GOOD + BAD - label
    return drawn
