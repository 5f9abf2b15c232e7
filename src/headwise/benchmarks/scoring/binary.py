"""Yes or no: accuracy, and F1 of either answer."""

from __future__ import annotations

from collections.abc import Sequence

from headwise.benchmarks.scoring.choice import chosen
from headwise.benchmarks.scoring.matching import Reply, Scored, mean, overall_and_parts
from headwise.evaluation.items import Measure


def binary_measures(replies: Sequence[Reply], positive: str = "Yes") -> list[Measure]:
    """The figures of a yes/no benchmark.

    Args:
        replies: Replies to items whose label is `"Yes"` or `"No"`.
        positive: The label that F1 is of.

    Returns:
        Accuracy over all and of each split, F1 of the positive label, and the mean of both labels'
        F1. An answer that cannot be read is wrong, and of neither label.
    """
    said = [chosen(reply) for reply in replies]
    meant = [reply.item.example.label or "" for reply in replies]
    scored = [
        Scored(reply.item, float(one == label))
        for reply, one, label in zip(replies, said, meant, strict=True)
    ]
    labels = sorted(set(meant) | {positive})
    return [
        *overall_and_parts("accuracy", scored),
        Measure("f1", f1_of(said, meant, positive), len(replies)),
        Measure("macro_f1", mean(f1_of(said, meant, one) for one in labels), len(replies)),
    ]


def f1_of(said: Sequence[str | None], meant: Sequence[str], label: str) -> float:
    """The harmonic mean of precision and recall of a label; 0 where neither says it together."""
    both = sum(s == m == label for s, m in zip(said, meant, strict=True))
    either = sum(s == label for s in said) + sum(m == label for m in meant)
    return 2 * both / either if either else 0.0
