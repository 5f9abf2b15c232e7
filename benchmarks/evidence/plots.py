"""The plots of docs/results.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from benchmarks.evidence.findings import Share

_BLUE = "#0072B2"


def bars(shares: Sequence[Share], label: str, path: Path) -> None:
    """Points with their intervals, one line each.

    Args:
        shares: The figures.
        label: What they are.
        path: The SVG file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "headwise", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(6.4, 0.6 + 0.28 * len(shares)), layout="constrained")
        for place, share in enumerate(reversed(shares)):
            axes.plot([share.low, share.high], [place, place], color=_BLUE, lw=1.5)
            axes.plot([share.value], [place], "o", color=_BLUE, ms=4)
        axes.set_yticks(range(len(shares)), [share.name for share in reversed(shares)])
        axes.set_xlabel(f"{label} (95% interval)")
        axes.grid(axis="x", lw=0.3)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
