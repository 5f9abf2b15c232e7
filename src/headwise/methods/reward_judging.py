"""Reads the judgements of one or more reward models off one model, in as few passes as possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from headwise.engines.base import Engine
from headwise.heads import HeadSet, Steering
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

    The conversations of all sparse readouts go through one `capture` of all their heads, so that
    what they begin with alike (a prompt and its response, before the criterion) is read once. Those
    of steered readouts go through one `token_logprobs` for each steering, since a call steers all
    its conversations alike.

    Args:
        engine: The frozen model.
        everyone: What each reward model asks.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The judgements of each.
    """
    sparse = _sparse_margins(engine, everyone, progress)
    judgements = []
    for questions, margins in zip(everyone, sparse, strict=True):
        steered = None
        if not questions.conversations:
            nothing = torch.empty(0, dtype=torch.float64)
            judgements.append(Judgements(nothing, nothing, nothing))
            continue
        if questions.steering is not None:
            unique = _Unique(questions.conversations)
            found = steered_log_odds(
                engine, unique.once, questions.answers, questions.steering, progress=progress
            )
            steered = found[unique.rows]
        values = questions.weights.combine(margins, steered)
        judgements.append(Judgements(values, margins, steered))
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


def _union(readouts: Sequence[DirectionReadout]) -> HeadSet:
    scores = {
        index: score
        for readout in reversed(readouts)
        for index, score in zip(readout.heads.indices, readout.heads.scores, strict=True)
    }
    if len(readouts) == 1:
        return readouts[0].heads
    return HeadSet(tuple(scores), tuple(scores.values()))
