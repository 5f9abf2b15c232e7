"""Fits each readout of a reward model, and says how it does on support it was not fitted on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from headwise.engines.base import Engine
from headwise.heads import HeadActivations, Steering
from headwise.methods.reward_extraction import Extraction, extract_vectors
from headwise.methods.reward_readouts import HeldOutReadout, sparse_margins, steered_log_odds
from headwise.methods.reward_support import JudgedSupport
from headwise.prompts.reward import RewardPrompt
from headwise.selection.centroids import support_similarities
from headwise.selection.cross_validation import deal_folds
from headwise.selection.nearest_centroid import rank_heads
from headwise.selection.reinforce import Reinforce
from headwise.selection.search import SearchTask, hold_out
from headwise.selection.sparse_readout import SparseReadout

SPARSE_HEAD_COUNTS = (1, 3, 5, 10, 20, 40)
_SPARSE_FOLDS = 5
_STEERED_FOLDS = 2
_SEARCH_HELD_OUT = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class FittedSparse:
    """The sparse readout and its values on held-out support."""

    readout: SparseReadout
    held_out: HeldOutReadout


@dataclass(frozen=True, slots=True, eq=False)
class FittedSteered:
    """The steering and its readout's values on held-out support."""

    steering: Steering
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
    tried = {
        count: _cross_fit(
            support,
            _SPARSE_FOLDS,
            seed,
            lambda training, held, count=count: _sparse_values(  # type: ignore[misc]
                activations, support, training, held, count
            ),
        )
        for count in counts
    }
    best = min(counts, key=lambda count: (tried[count].log_loss(), count))
    readout = _sparse_readout(activations, support.labels, best)
    held_out = tried[best]
    if len(held_out.contrasts) == 0:
        # One pair alone: nothing is held out, so its own values must set the scale.
        held_out = _in_sample(support, sparse_margins(readout, activations))
    return FittedSparse(readout, held_out)


def fit_steered(
    engine: Engine,
    prompt: RewardPrompt,
    support: JudgedSupport,
    activations: HeadActivations,
    *,
    search: Reinforce,
    extraction: Extraction,
    shots_per_prompt: int,
    n_prompts: int,
    among_answers: bool,
    cross_fitted: bool,
    seed: int,
    progress: bool,
) -> FittedSteered:
    """Finds the steered heads by a search on the support.

    Args:
        engine: The frozen model.
        prompt: How responses are judged.
        support: The support set.
        activations: Its activations, all heads.
        search: How the heads are found.
        extraction: What the means are taken over.
        shots_per_prompt: See `extract_vectors`.
        n_prompts: See `extract_vectors`.
        among_answers: Whether the loss compares the two answers only.
        cross_fitted: Whether to search on halves first, for values on held-out support; else the
            search's own support sets the scale.
        seed: Seed of folds and draws.
        progress: Whether to show progress bars.

    Returns:
        The steering found on all support, and held-out values.
    """

    def found_on(rows: list[int]) -> Steering:
        part = support.rows(rows)
        vectors = extract_vectors(
            extraction,
            engine,
            prompt,
            part,
            activations.rows(rows),
            shots_per_prompt=shots_per_prompt,
            n_prompts=n_prompts,
            seed=seed,
            progress=progress,
        )
        targets = tuple(prompt.answers[int(label)] for label in part.labels)
        among = prompt.answers if among_answers else None
        task = SearchTask(part.conversations, targets, vectors, among=among)
        training, held = _search_split(part, seed)
        result = search.search(engine, task.rows(training), task.rows(held), progress=progress)
        return Steering.from_vectors(result.heads, vectors)

    def values_on(steering: Steering, rows: list[int]) -> Tensor:
        conversations = support.rows(rows).conversations
        return steered_log_odds(engine, conversations, prompt.answers, steering)

    everyone = list(range(len(support)))
    steering = found_on(everyone)
    if cross_fitted and support.n_groups >= 2 * _STEERED_FOLDS:
        held_out = _cross_fit(
            support,
            _STEERED_FOLDS,
            seed,
            lambda training, held: values_on(found_on(training), held),
        )
    else:
        held_out = _in_sample(support, values_on(steering, everyone))
    return FittedSteered(steering, held_out)


def _cross_fit(
    support: JudgedSupport,
    n_folds: int,
    seed: int,
    fit_and_value: Callable[[list[int], list[int]], Tensor],
) -> HeldOutReadout:
    """Values of every row by readouts fitted without its group."""
    folds = deal_folds(_group_kinds(support), min(n_folds, support.n_groups), seed)
    values = torch.full((len(support),), float("nan"), dtype=torch.float64)
    contrasts = [torch.empty(0, dtype=torch.float64)]
    for fold in sorted(set(folds[folds >= 0].tolist())):
        held = support.rows_of(np.flatnonzero(folds == fold).tolist())
        training = support.rows_of(np.flatnonzero(folds != fold).tolist())
        found = fit_and_value(training, held)
        values[held] = found
        # Readouts of two folds differ in scale and offset, so only rows of one are compared.
        contrasts.append(support.contrasts(found, held))
    return HeldOutReadout(values, torch.cat(contrasts), support.labels)


def _group_kinds(support: JudgedSupport) -> list[int]:
    """What each group holds: a good judgement, a bad one, or (2) a pair of both."""
    kinds = [-1] * support.n_groups
    for group, label in zip(support.groups, support.labels.tolist(), strict=True):
        kinds[group] = int(label) if kinds[group] < 0 else 2
    return kinds


def _in_sample(support: JudgedSupport, values: Tensor) -> HeldOutReadout:
    rows = list(range(len(support)))
    return HeldOutReadout(values, support.contrasts(values, rows), support.labels)


def _sparse_readout(activations: HeadActivations, labels: Tensor, count: int) -> SparseReadout:
    similar = support_similarities(activations, labels, 2, scoring="leave_one_out", centered=True)
    heads = rank_heads(similar, labels).top(count)
    return SparseReadout.fitted(activations, labels, 2, heads, centered=True, voting="soft")


def _sparse_values(
    activations: HeadActivations,
    support: JudgedSupport,
    training: list[int],
    held: list[int],
    count: int,
) -> Tensor:
    readout = _sparse_readout(activations.rows(training), support.labels[training], count)
    return sparse_margins(readout, activations.rows(held))


def _search_split(support: JudgedSupport, seed: int) -> tuple[list[int], list[int]]:
    """Rows to search on and rows to pick the final mask by, groups kept together."""
    present = sorted(set(support.groups))
    training, held = hold_out(len(present), _SEARCH_HELD_OUT, seed)
    return (
        support.rows_of([present[number] for number in training]),
        support.rows_of([present[number] for number in held]),
    )
