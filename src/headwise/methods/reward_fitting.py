"""Fits each readout of a reward model, and says how it does on support it was not fitted on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from headwise.engines.base import Engine
from headwise.errors import UninformativeHeadsError
from headwise.heads import HeadActivations, Steering
from headwise.methods.reward_extraction import Extraction, extract_vectors
from headwise.methods.reward_readouts import HeldOutReadout, steered_log_odds
from headwise.methods.reward_support import GOOD, Contrast, JudgedSupport
from headwise.prompts.reward import RewardPrompt
from headwise.selection.cross_validation import deal_folds
from headwise.selection.directions import DirectionReadout, HeadDirections, fit_directions
from headwise.selection.search import HeadSearch, SearchTask, hold_out

SPARSE_HEAD_COUNTS = (1, 3, 5, 10, 20, 40)
_SPARSE_FOLDS = 5
_STEERED_FOLDS = 2
_SEARCH_HELD_OUT = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class FittedSparse:
    """The sparse readout and its values on held-out support."""

    readout: DirectionReadout
    held_out: HeldOutReadout


def fit_sparse(
    activations: HeadActivations,
    support: JudgedSupport,
    n_heads: int | Literal["auto"],
    seed: int,
) -> FittedSparse:
    """Fits the sparse readout, cross-validated over groups.

    Args:
        activations: Of the support, all heads.
        support: The support set.
        n_heads: How many heads, or `"auto"`.
        seed: Seed of the folds.

    Returns:
        The readout of all support, and held-out values.
    """
    counts = SPARSE_HEAD_COUNTS if n_heads == "auto" else (n_heads,)
    fitted: dict[tuple[int, ...], HeadDirections] = {}

    def values(training: list[int], held: list[int], count: int) -> Tensor:
        key = tuple(training)
        if key not in fitted:
            fitted[key] = _directions(activations, support, training)
        return fitted[key].readout(count).margins(activations.rows(held))

    tried = {
        count: _cross_fit(support, _SPARSE_FOLDS, seed, partial(values, count=count))
        for count in counts
    }
    best = min(counts, key=lambda count: (tried[count].log_loss(), count))
    readout = _directions(activations, support, list(range(len(support)))).readout(best)
    held_out = tried[best]
    if not held_out.pairs:
        # One pair alone: nothing is held out, so its own values must set the scale.
        held_out = _in_sample(support, readout.margins(activations))
    return FittedSparse(readout, held_out)


@dataclass(frozen=True, slots=True, eq=False)
class SteeredFitting:
    """Finds the steered heads by searches on the support, or on parts of it.

    Args:
        engine: The frozen model.
        prompt: How responses are judged.
        support: The support set.
        activations: Its activations, all heads.
        search: How the heads are chosen.
        extraction: What the means are taken over.
        shots_per_prompt: See `extract_vectors`.
        n_prompts: See `extract_vectors`.
        among_answers: Whether the loss compares the two answers only.
        pairs_together: Whether an epoch tries masks on both responses of a pair.
        seed: Seed of folds and draws.
        progress: Whether to show progress bars.
    """

    engine: Engine
    prompt: RewardPrompt
    support: JudgedSupport
    activations: HeadActivations
    search: HeadSearch
    extraction: Extraction
    shots_per_prompt: int
    n_prompts: int
    among_answers: bool
    pairs_together: bool
    seed: int
    progress: bool

    def find(self, rows: list[int]) -> Steering:
        """The steering found on some rows of the support."""
        part = self.support.rows(rows)
        vectors = extract_vectors(
            self.extraction,
            self.engine,
            self.prompt,
            part,
            self.activations.rows(rows),
            shots_per_prompt=self.shots_per_prompt,
            n_prompts=self.n_prompts,
            seed=self.seed,
            progress=self.progress,
        )
        targets = tuple(self.prompt.answers[int(label)] for label in part.labels)
        among = self.prompt.answers if self.among_answers else None
        groups = part.groups if self.pairs_together else None
        task = SearchTask(part.conversations, targets, vectors, among=among, groups=groups)
        training, held = _search_split(part, self.seed)
        result = self.search.search(
            self.engine, task.rows(training), task.rows(held), progress=self.progress
        )
        return Steering.from_vectors(result.heads, vectors)

    def find_on_all(self) -> Steering:
        """The steering found on the whole support."""
        return self.find(self._everyone())

    def values(self, steering: Steering, rows: list[int]) -> Tensor:
        """Steered log-odds of some rows of the support, `(len(rows),)` float64."""
        conversations = self.support.rows(rows).conversations
        return steered_log_odds(
            self.engine, conversations, self.prompt.answers, steering, progress=self.progress
        )

    def can_hold_out(self) -> bool:
        """Whether the support is large enough to search on one half and test on the other."""
        return self.support.n_groups >= 2 * _STEERED_FOLDS

    def held_out(self) -> HeldOutReadout:
        """Values of every row by a steering found on the other half of the support."""
        return _cross_fit(
            self.support,
            _STEERED_FOLDS,
            self.seed,
            lambda training, held: self.values(self.find(training), held),
        )

    def in_sample(self, steering: Steering) -> HeldOutReadout:
        """Values of every row by a steering that was found on it."""
        return _in_sample(self.support, self.values(steering, self._everyone()))

    def _everyone(self) -> list[int]:
        return list(range(len(self.support)))


def _cross_fit(
    support: JudgedSupport,
    n_folds: int,
    seed: int,
    fit_and_value: Callable[[list[int], list[int]], Tensor],
) -> HeldOutReadout:
    """Values of every row by readouts fitted without its group."""
    folds = deal_folds(_group_kinds(support), min(n_folds, support.n_groups), seed)
    values = torch.full((len(support),), float("nan"), dtype=torch.float64)
    pairs: list[Contrast] = []
    for fold in sorted(set(folds[folds >= 0].tolist())):
        held = support.rows_of(np.flatnonzero(folds == fold).tolist())
        training = support.rows_of(np.flatnonzero(folds != fold).tolist())
        try:
            values[held] = fit_and_value(training, held)
        except UninformativeHeadsError:
            continue  # This fold's training pairs are the same texts; the other folds still tell.
        pairs.extend(support.contrasts(held))
    return HeldOutReadout(values, tuple(pairs), support.labels)


def _group_kinds(support: JudgedSupport) -> list[int]:
    """What each group holds: a good judgement, a bad one, or (2) a pair of both."""
    kinds = [-1] * support.n_groups
    for group, label in zip(support.groups, support.labels.tolist(), strict=True):
        kinds[group] = int(label) if kinds[group] < 0 else 2
    return kinds


def _in_sample(support: JudgedSupport, values: Tensor) -> HeldOutReadout:
    rows = list(range(len(support)))
    return HeldOutReadout(values, support.contrasts(rows), support.labels, in_sample=True)


def _directions(
    activations: HeadActivations, support: JudgedSupport, rows: list[int]
) -> HeadDirections:
    groups = [support.groups[row] for row in rows]
    return fit_directions(activations.rows(rows), support.labels[rows] == GOOD, groups)


def _search_split(support: JudgedSupport, seed: int) -> tuple[list[int], list[int]]:
    """Rows to search on and rows to pick the final mask by, groups kept together."""
    present = sorted(set(support.groups))
    training, held = hold_out(len(present), _SEARCH_HELD_OUT, seed)
    return (
        support.rows_of([present[number] for number in training]),
        support.rows_of([present[number] for number in held]),
    )
