"""RM-Bench's matrix: each style of a right response against each style of a wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headwise.benchmarks.scoring.matching import Rewarded
from headwise.errors import InputError

STYLES = ("concise", "detailed", "markdown")


@dataclass(frozen=True, slots=True)
class StyleAccuracies:
    """Accuracies by who has the richer style.

    Args:
        hard: The right response has the plainer style.
        normal: Both have the same style.
        easy: The right response has the richer style.
        n: Of how many prompts.
    """

    hard: float
    normal: float
    easy: float
    n: int

    @property
    def mean(self) -> float:
        """The mean of the three."""
        return (self.hard + self.normal + self.easy) / 3


def style_accuracies(rows: Sequence[Rewarded]) -> StyleAccuracies:
    """The accuracies of prompts; a tie is a loss.

    Args:
        rows: Prompts with three right and three wrong responses, plainest style first.

    Returns:
        The means over the parts of the 3 x 3 matrix (rows: style of the right response): above the
        diagonal, on it, and below it. After `compute_accuracy` of RM-Bench's README.

    Raises:
        InputError: There is no prompt, or one has other than three and three.
    """
    if not rows:
        raise InputError("There is no prompt to compare styles of.")
    for row in rows:
        if len(row.right) != 3 or len(row.wrong) != 3:
            raise InputError(f"{row.item.id!r} needs three right and three wrong responses.")
    right = np.array([row.right for row in rows])
    wrong = np.array([row.wrong for row in rows])
    matrix = (right[:, :, None] > wrong[:, None, :]).mean(axis=0)
    above = np.triu_indices(3, 1)
    return StyleAccuracies(
        hard=float(matrix[above].mean()),
        normal=float(np.diag(matrix).mean()),
        easy=float(matrix.T[above].mean()),
        n=len(rows),
    )
