"""Cross-validated decisions on the support set: how many heads to keep, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from headwise.errors import UninformativeHeadsError
from headwise.heads import HeadActivations, HeadSet
from headwise.selection.centroids import (
    HeadScoring,
    class_means,
    query_similarities,
    support_similarities,
)
from headwise.selection.nearest_centroid import rank_heads
from headwise.selection.voting import Voting, decide_by_count
from headwise.selection.whitening import fit_whitening

HEAD_COUNTS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240)


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutDecisions:
    """Decisions on support examples by classifiers that did not see them.

    Args:
        counts: The numbers of heads that were tried.
        decisions: One float64 `(m, n_classes)` tensor a count.
        labels: `(m,)` int64 class numbers.
    """

    counts: tuple[int, ...]
    decisions: tuple[Tensor, ...]
    labels: Tensor

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Held-out accuracy for each number of heads."""
        return tuple(
            float((values.argmax(dim=1) == self.labels).double().mean())
            for values in self.decisions
        )

    def best_count(self) -> int:
        """The number of heads with the best smoothed accuracy; the smallest of equals."""
        accuracy = np.asarray(self.accuracies)
        padded = np.pad(accuracy, 1, mode="edge")
        # A single count can be lucky on few examples; a neighbourhood is less so.
        smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
        return self.counts[int(np.argmax(np.round(smooth, 9)))]

    def of_count(self, count: int) -> Tensor:
        """The decisions made with a number of heads."""
        return self.decisions[self.counts.index(count)]


def deal_folds(labels: Sequence[int], n_folds: int, seed: int) -> np.ndarray:
    """Deals examples into folds, each class evenly; the only example of a class is never held out.

    Args:
        labels: Class numbers.
        n_folds: How many folds.
        seed: Seed of the dealing.

    Returns:
        `(n,)` int64 fold numbers; -1 marks an example that always stays in training.
    """
    generator = np.random.default_rng(seed)
    values = np.asarray(labels)
    folds = np.full(len(values), -1)
    next_fold = 0
    for label in np.unique(values):
        members = generator.permutation(np.flatnonzero(values == label))
        if len(members) < 2:
            continue
        for member in members:
            folds[member] = next_fold % n_folds
            next_fold += 1
    return _keep_one_in_training(folds, values)


def _keep_one_in_training(folds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    # A class that fell into one fold whole would be unknown when that fold is held out.
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(set(folds[members])) == 1 and folds[members[0]] >= 0:
            folds[members[0]] = -1
    return folds


def held_out_decisions(
    activations: HeadActivations,
    labels: Tensor,
    n_classes: int,
    *,
    counts: tuple[int, ...],
    scoring: HeadScoring,
    whitened: bool,
    voting: Voting,
    n_folds: int = 5,
    seed: int = 0,
) -> HeldOutDecisions | None:
    """Cross-validates the whole of head choice and classification on captured activations.

    Args:
        activations: `n` support examples.
        labels: `(n,)` int64 class numbers.
        n_classes: How many classes.
        counts: The numbers of heads to try.
        scoring: See `support_similarities`.
        whitened: Whether activations are whitened first, see `fit_whitening`.
        voting: See `decide`.
        n_folds: Folds; no more than the largest class has examples.
        seed: Seed of the dealing into folds.

    Returns:
        The decisions, or None where nothing could be held out.
    """
    largest = int(torch.bincount(labels, minlength=n_classes).max())
    folds = deal_folds(labels.tolist(), min(n_folds, largest), seed)
    if not (folds >= 0).any():
        return None
    parts: list[list[Tensor]] = [[] for _ in counts]
    truths = []
    for fold in range(int(folds.max()) + 1):
        held = torch.from_numpy(np.flatnonzero(folds == fold))
        if len(held) == 0:
            continue
        rest = torch.from_numpy(np.flatnonzero(folds != fold))
        training, queries = activations.rows(rest), activations.rows(held)
        if whitened:
            whitening = fit_whitening(training, labels[rest], n_classes)
            training, queries = whitening.apply(training), whitening.apply(queries)
        similar = support_similarities(training, labels[rest], n_classes, scoring=scoring)
        try:
            heads = rank_heads(similar, labels[rest], scoring).top(max(counts))
        except UninformativeHeadsError:
            continue  # This fold's training rows are the same text; the other folds still tell.
        queried = _query(training, labels[rest], n_classes, queries, heads)
        usable = tuple(min(count, len(heads)) for count in counts)
        for part, decision in zip(parts, decide_by_count(queried, usable, voting), strict=True):
            part.append(decision)
        truths.append(labels[held])
    if not truths:
        return None
    return HeldOutDecisions(counts, tuple(torch.cat(part) for part in parts), torch.cat(truths))


def _query(
    training: HeadActivations,
    labels: Tensor,
    n_classes: int,
    queries: HeadActivations,
    heads: HeadSet,
) -> Tensor:
    similarities = []
    for index in heads:
        means = class_means(training.head(index).double()[:, None], labels, n_classes)[:, 0]
        similarities.append(query_similarities(queries.head(index), means))
    return torch.stack(similarities, dim=1)
