"""Plots that a paper could use, with the optional package matplotlib; the same bytes each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headwise.errors import MissingExtraError
from headwise.evaluation.calibration import Calibration
from headwise.evaluation.intervals import Interval
from headwise.evaluation.summary import MethodSummary, TransferTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.figure import Figure

OKABE_ITO = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    *("#E69F00", "#56B4E9", "#F0E442", "#000000"),
)
"""Colours that the colour-blind tell apart (Okabe and Ito 2008)."""

_MARKERS = "osD^vPX*"
_DOTS_PER_INCH = 200
_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "svg.fonttype": "path",
    # Ids within the file come from this, not from chance.
    "svg.hashsalt": "headwise",
}


def forest(rows: Sequence[MethodSummary], figure_name: str) -> Figure:
    """Each method's main figure with its interval, a row each."""
    with _styled() as new_figure:
        figure = new_figure(6.0, 1.0 + 0.3 * len(rows))
        axes = figure.add_subplot()
        for place, row in enumerate(rows):
            colour = OKABE_ITO[0] if row.role == "method" else OKABE_ITO[4]
            marker = "o" if row.role == "method" else "s"
            axes.errorbar(
                row.main.value,
                place,
                xerr=_reach([row.main]),
                fmt=marker,
                color=colour,
                capsize=3,
            )
        axes.set_yticks(range(len(rows)), [_named(row) for row in rows])
        axes.invert_yaxis()
        axes.grid(axis="x", color="0.9")
        axes.set_axisbelow(True)
        axes.set_xlabel(f"{figure_name} (95% interval; circles: methods, squares: baselines)")
        return figure


def learning_curves(rows: Sequence[MethodSummary], figure_name: str) -> Figure:
    """The main figure by shots, a line each; methods that do not learn are level."""
    with _styled() as new_figure:
        figure = new_figure(6.0, 3.6)
        axes = figure.add_subplot()
        of_method: dict[str, list[MethodSummary]] = {}
        for row in rows:
            of_method.setdefault(row.method, []).append(row)
        for number, (method, points) in enumerate(of_method.items()):
            colour = OKABE_ITO[number % len(OKABE_ITO)]
            marker = _MARKERS[number % len(_MARKERS)]
            learnt = sorted((p for p in points if p.shots), key=lambda point: point.shots)
            if not learnt:
                axes.axhline(points[0].main.value, color=colour, linestyle=":", label=method)
                continue
            axes.errorbar(
                [point.shots for point in learnt],
                [point.main.value for point in learnt],
                yerr=_reach([point.main for point in learnt]),
                color=colour,
                marker=marker,
                linestyle="-" if points[0].role == "method" else "--",
                capsize=3,
                label=method,
            )
        shots = sorted({row.shots for row in rows if row.shots})
        if shots and shots[-1] > 4 * shots[0]:
            axes.set_xscale("log", base=2)
        axes.set_xticks(shots, [str(count) for count in shots])
        axes.minorticks_off()
        axes.set(xlabel="shots", ylabel=figure_name)
        axes.grid(color="0.9")
        axes.legend(frameon=False, fontsize=8)
        return figure


def reliability_plot(calibrations: Mapping[str, Calibration]) -> Figure:
    """Accuracy by confidence, a line each; the diagonal is perfectly calibrated."""
    with _styled() as new_figure:
        figure = new_figure(4.4, 4.0)
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="as often right as it says")
        for number, (name, found) in enumerate(calibrations.items()):
            axes.plot(
                [one.confidence for one in found.bins],
                [one.accuracy for one in found.bins],
                color=OKABE_ITO[number % len(OKABE_ITO)],
                marker=_MARKERS[number % len(_MARKERS)],
                markersize=4,
                label=f"{name} (ECE {found.ece:.3f})",
            )
        axes.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(frameon=False, fontsize=8)
        return figure


def transfer_map(table: TransferTable, figure_name: str) -> Figure:
    """A heat map: rows learned on, columns put to."""
    n = len(table.splits)
    values = np.array(
        [[np.nan if cell is None else cell.value for cell in row] for row in table.cells]
    )
    with _styled() as new_figure:
        figure = new_figure(2.6 + 0.6 * n, 1.8 + 0.5 * n)
        axes = figure.add_subplot()
        image = axes.imshow(np.ma.masked_invalid(values), cmap="cividis", vmin=0, vmax=1)
        for row in range(n):
            for column in range(n):
                value = values[row, column]
                text = "failed" if np.isnan(value) else f"{value:.2f}"
                dark = np.isnan(value) or value > 0.6
                axes.text(
                    column, row, text, ha="center", va="center", color="black" if dark else "white"
                )
        axes.set_xticks(range(n), table.splits, rotation=45, ha="right")
        axes.set_yticks(range(n), table.splits)
        axes.set(xlabel="put to", ylabel="learned on")
        axes.spines[:].set_visible(False)
        figure.colorbar(image, label=figure_name)
        return figure


def save_plot(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Writes a plot as PNG and SVG.

    Args:
        figure: The plot.
        stem: The file's name without its ending.

    Returns:
        Both files.

    Raises:
        OSError: They cannot be written.
    """
    png, svg = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")
    with _styled():
        # Without the date, and without the version that made it.
        figure.savefig(png, dpi=_DOTS_PER_INCH, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None, "Creator": None})
    return png, svg


def _named(row: MethodSummary) -> str:
    return f"{row.method}, {row.shots} shots" if row.shots else row.method


def _reach(intervals: Sequence[Interval]) -> list[list[float]]:
    """How far intervals reach to the lower and to the upper side."""
    return [
        [max(0.0, one.value - one.low) for one in intervals],
        [max(0.0, one.high - one.value) for one in intervals],
    ]


@contextmanager
def _styled() -> Iterator[Callable[[float, float], Figure]]:
    """Gives a maker of figures, whatever the user's own settings of matplotlib are."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "plot", "Drawing the plots of a report") from None
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)

        def new_figure(width: float, height: float) -> Figure:
            return Figure(figsize=(width, height), layout="constrained")

        yield new_figure
