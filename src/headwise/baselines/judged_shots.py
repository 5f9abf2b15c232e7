"""Judged examples that are shown to a model before it is asked to judge."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from headwise.baselines.shots import DroppedShotsWarning, half_window, prompt_tokens
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
from headwise.methods.truncation import TextCutter
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
    cutter: TextCutter,
    seed: int,
) -> Shots:
    """Draws judged examples out of a support set.

    Judgements take turns, so that neither is shown more often. No pair is shown a second time
    before all have been. One that would not fit into half the model's context window is left out.

    Args:
        engine: The model.
        preferences: The support set; not looked at where no shots are wanted.
        prompt: How responses are judged.
        n_shots: How many judged examples; fewer where there are not as many, or where no more fit.
        cutter: Cuts long texts.
        seed: Seed of the draw.

    Returns:
        The shots, in the order in which they are shown.

    Raises:
        InputError: Shots are wanted, and there are no preferences, or good (or bad) ones only.
    """
    if not n_shots:
        return ()
    build = scalar_support if prompt.form == "scalar" else ranked_support
    support = build(preferences, prompt, cutter)
    cutter.report("support texts", "max_text_tokens")
    costs = prompt_tokens(engine, support.conversations)
    room = half_window(engine)
    rows: list[int] = []
    n_dropped = 0
    for row in _turns(support, seed):
        if len(rows) == n_shots:
            break
        if sum(costs[shown] for shown in rows) + costs[row] > room:
            n_dropped += 1
        else:
            rows.append(row)
    if n_dropped:
        warnings.warn(
            f"{n_dropped} judged examples do not fit into {room:g} tokens, half the model's "
            "context window, and are left out of the prompt.",
            DroppedShotsWarning,
            stacklevel=3,
        )
    labels = support.labels.tolist()
    return tuple((support.conversations[row], prompt.answers[labels[row]]) for row in rows)


def _turns(support: JudgedSupport, seed: int) -> Iterator[int]:
    """Rows of good and bad judgements in turns, the least shown pair first, while both last."""
    random = np.random.default_rng(seed)
    waiting = [int(row) for row in random.permutation(len(support))]
    labels = support.labels.tolist()
    label = (GOOD, BAD)[int(random.integers(2))]
    n_shown = dict.fromkeys(support.groups, 0)
    while candidates := [row for row in waiting if labels[row] == label]:
        row = min(candidates, key=lambda candidate: n_shown[support.groups[candidate]])
        waiting.remove(row)
        n_shown[support.groups[row]] += 1
        yield row
        label = GOOD + BAD - label
