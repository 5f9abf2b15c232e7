"""Ranks heads by how well class centroids of their activations classify the support set."""

from __future__ import annotations

import torch
from torch import Tensor

from headwise.errors import UninformativeHeadsError
from headwise.heads import HeadIndex, HeadSet
from headwise.selection.centroids import HeadScoring, HeadSimilarities

# Margins that deviate less are as good as equal: the smallest of few can be so by luck.
_STEADIEST = 1e-3


def rank_heads(
    similarities: HeadSimilarities, labels: Tensor, scoring: HeadScoring = "leave_one_out"
) -> HeadSet:
    """Orders heads by how well they tell the support examples apart.

    Ties are broken the same way every time: by the mean margin of the right class over the best
    wrong one, then the shallower layer, then the lower head number. Heads whose centroids do not
    differ are left out: their counts are rounding noise.

    Args:
        similarities: Of `n` support examples, see `support_similarities`.
        labels: `(n,)` int64 class numbers.
        scoring: `"leave_one_out"` and `"resubstitution"` count the examples a head gets right;
            `"separation"` takes its mean margin in units of the margins' deviation, which ties
            less and is steadier on few examples.

    Returns:
        All informative heads, best first, scored by the share of examples they get right, or by
        their separation.

    Raises:
        UninformativeHeadsError: No head's centroids differ.

    Source: SAVs, arXiv:2412.00142, section 3; the separation and the tie rule are ours (the
    published code leaves ties to an unstable sort).
    """
    ranked: list[tuple[float, float, HeadIndex]] = []
    for entry, values, informative in zip(
        similarities.layout.layers, similarities.values, similarities.informative, strict=True
    ):
        margins = _margins(values, labels)
        mean = margins.mean(dim=0)
        if scoring == "separation" and len(labels) > 1:
            scores = mean / margins.std(dim=0).clamp_min(_STEADIEST)
        else:
            scores = (values.argmax(dim=2) == labels[:, None]).double().mean(dim=0)
        ranked.extend(
            (float(scores[head]), float(mean[head]), HeadIndex(entry.layer, head))
            for head in range(entry.n_heads)
            if bool(informative[head])
        )
    if not ranked:
        raise UninformativeHeadsError(
            "No attention head tells the classes apart: every head gives the same activations for "
            "all of them. Are the support examples of different classes the same text, or does the "
            "instruction end in a way that hides them?"
        )
    ranked.sort(key=lambda row: (-row[0], -row[1], row[2]))
    return HeadSet(tuple(row[2] for row in ranked), tuple(row[0] for row in ranked))


def gather_heads(similarities: HeadSimilarities, heads: HeadSet) -> Tensor:
    """Similarities of some heads side by side.

    Args:
        similarities: Of `n` examples.
        heads: `k` heads of its layout.

    Returns:
        `(n, k, n_classes)` float64, in the order of `heads`.
    """
    at = {entry.layer: number for number, entry in enumerate(similarities.layout.layers)}
    return torch.stack(
        [similarities.values[at[index.layer]][:, index.head] for index in heads], dim=1
    )


def _margins(values: Tensor, labels: Tensor) -> Tensor:
    """Similarity to the own class minus the best other: `(n, heads)`."""
    own_column = labels[:, None, None].expand(-1, values.shape[1], 1)
    own = values.gather(2, own_column).squeeze(2)
    others = values.scatter(2, own_column, float("-inf")).amax(dim=2)
    return own - others
