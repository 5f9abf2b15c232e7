"""Reads the judgements of one or more reward models off one model, in as few passes as possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from headwise.engines.base import Engine
from headwise.heads import HeadSet, Steering, in_common
from headwise.methods.reward_readouts import ReadoutWeights, steered_log_odds
from headwise.prompts.conversation import Conversation
from headwise.selection.directions import DirectionReadout


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """What one reward model asks.

    Args:
        conversations: `n` conversations that ask for a judgement.
        answers: The positive and the negative answer.
        sparse: Its sparse heads, where it uses them.
        steering: Its steered heads, where it uses them.
        weights: How it puts the readouts together.
    """

    conversations: Sequence[Conversation]
    answers: tuple[str, str]
    sparse: DirectionReadout | None
    steering: Steering | None
    weights: ReadoutWeights


@dataclass(frozen=True, slots=True, eq=False)
class Judgements:
    """What was read off the model about `n` conversations.

    Args:
        values: `(n,)` float64, the readouts put together: log-odds of the positive answer.
        sparse: `(n,)` float64, the margin of the sparse heads; None where they are not used.
        steered: `(n,)` float64, the log-odds with heads steered; None where they are not used.
    """

    values: Tensor
    sparse: Tensor | None
    steered: Tensor | None


def judge(
    engine: Engine, everyone: Sequence[Questions], *, progress: bool = False
) -> list[Judgements]:
    """Judges all that several reward models ask.

    The conversations of all sparse readouts go through one `capture` of all their heads, and those
    of all steered readouts that have the same answers through one `token_logprobs`: what they begin
    with alike (a prompt and its response, before the criterion) is read once in each.

    Args:
        engine: The frozen model.
        everyone: What each reward model asks.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The judgements of each.
    """
    sparse = _sparse_margins(engine, everyone, progress)
    steered = _steered_odds(engine, everyone, progress)
    judgements = []
    for questions, margins, odds in zip(everyone, sparse, steered, strict=True):
        if not questions.conversations:
            nothing = torch.empty(0, dtype=torch.float64)
            judgements.append(Judgements(nothing, nothing, nothing))
            continue
        values = questions.weights.combine(margins, odds)
        judgements.append(Judgements(values, margins, odds))
    return judgements


class _Unique:
    """Conversations without repetitions: samples of one prompt are often the same."""

    def __init__(self, conversations: Sequence[Conversation]) -> None:
        numbers: dict[Conversation, int] = {}
        self.rows = [numbers.setdefault(one, len(numbers)) for one in conversations]
        self.once = list(numbers)


def _sparse_margins(
    engine: Engine, everyone: Sequence[Questions], progress: bool
) -> list[Tensor | None]:
    readouts = [one.sparse for one in everyone if one.sparse is not None]
    asked = [c for one in everyone if one.sparse is not None for c in one.conversations]
    if not asked:
        return [None] * len(everyone)
    unique = _Unique(asked)
    activations = engine.capture(unique.once, heads=_union(readouts), progress=progress)
    margins: list[Tensor | None] = []
    start = 0
    for one in everyone:
        if one.sparse is None:
            margins.append(None)
            continue
        rows = unique.rows[start : start + len(one.conversations)]
        margins.append(one.sparse.margins(activations)[rows])
        start += len(one.conversations)
    return margins


def _steered_odds(
    engine: Engine, everyone: Sequence[Questions], progress: bool
) -> list[Tensor | None]:
    """The log-odds of each steered readout; None for one that steers nothing, or asks nothing."""
    found: list[Tensor | None] = [None] * len(everyone)
    alike: dict[tuple[str, str], list[int]] = {}
    for number, one in enumerate(everyone):
        if one.steering is not None and one.conversations:
            alike.setdefault(one.answers, []).append(number)
    for answers, numbers in alike.items():
        parts = [_Unique(everyone[number].conversations) for number in numbers]
        asked = [conversation for part in parts for conversation in part.once]
        steering = [
            everyone[number].steering
            for number, part in zip(numbers, parts, strict=True)
            for _ in part.once
        ]
        odds = steered_log_odds(engine, asked, answers, in_common(steering), progress=progress)
        sizes = [len(part.once) for part in parts]
        for number, part, own in zip(numbers, parts, odds.split(sizes), strict=True):
            found[number] = own[part.rows]
    return found


def _union(readouts: Sequence[DirectionReadout]) -> HeadSet:
    scores = {
        index: score
        for readout in reversed(readouts)
        for index, score in zip(readout.heads.indices, readout.heads.scores, strict=True)
    }
    if len(readouts) == 1:
        return readouts[0].heads
    return HeadSet(tuple(scores), tuple(scores.values()))
