"""Results -> a page in Markdown and HTML, with its plots."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from headwise.evaluation.page import Picture, Section, section_of, title_of
from headwise.evaluation.plots import (
    forest,
    learning_curves,
    reliability_plot,
    save_plot,
    transfer_map,
)
from headwise.evaluation.results import BenchResult
from headwise.evaluation.summary import Summary, summarize

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOTS_FOLDER = "plots"


@dataclass(frozen=True, slots=True)
class Report:
    """The files of a report.

    Args:
        markdown: The page in Markdown.
        html: The page in HTML.
        plots: The plots, each as PNG and SVG.
    """

    markdown: Path
    html: Path
    plots: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Plot:
    name: str
    caption: str
    figure: Figure


def write(results: Sequence[BenchResult], folder: Path, title: str = "Results") -> Report:
    """Writes a report; the same results give the same bytes.

    Args:
        results: Results of `run`, or as `BenchResult.read` has them; those of one benchmark, model
            and items stand together.
        folder: Where to; made where it is not there.
        title: Of the page.

    Returns:
        The files: `report.md`, `report.html` and `plots/`.

    Raises:
        InputError: There are no results, or two hold the same run.
        MissingExtraError: matplotlib is not installed.
        OSError: A file cannot be written.
    """
    summaries = summarize(results)
    plots_folder = folder / PLOTS_FOLDER
    plots_folder.mkdir(parents=True, exist_ok=True)
    sections: list[Section] = []
    written: list[Path] = []
    for number, summary in enumerate(summaries, start=1):
        pictures = []
        for plot in _plots(summary):
            stem = f"{number}-{_slug(summary.benchmark.name)}-{plot.name}"
            written += save_plot(plot.figure, plots_folder / stem)
            pictures.append(Picture(plot.caption, f"{PLOTS_FOLDER}/{stem}"))
        sections.append(section_of(summary, pictures))
    markdown, html = folder / "report.md", folder / "report.html"
    markdown.write_text(_template("report.md.j2").render(title=title, sections=sections), "utf-8")
    html.write_text(_template("report.html.j2").render(title=title, sections=sections), "utf-8")
    return Report(markdown, html, tuple(written))


def _plots(summary: Summary) -> Iterator[_Plot]:
    rows, name = summary.methods, summary.main_figure
    title = title_of(summary)
    if rows:
        caption = f"{name.capitalize()} of every method with its 95% interval: {title}."
        yield _Plot("methods", caption, forest(rows, name))
    if len({row.shots for row in rows if row.shots}) > 1:
        caption = f"{name.capitalize()} by the number of shots, with 95% intervals: {title}."
        yield _Plot("shots", caption, learning_curves(rows, name))
    most = max((row.shots for row in rows), default=0)
    calibrations = {
        row.method: row.calibration
        for row in rows
        if row.calibration is not None and row.shots in (0, most)
    }
    if calibrations:
        caption = f"Reliability over all seeds, bins of equal mass: {title}."
        yield _Plot("reliability", caption, reliability_plot(calibrations))
    for number, table in enumerate(summary.transfers, start=1):
        caption = f"Transfer of {table.method} ({table.shots} shots) between splits: {title}."
        yield _Plot(f"transfer-{number}", caption, transfer_map(table, name))


def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("headwise.evaluation"),
        autoescape=name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["markdown"] = plain_markdown
    return environment.get_template(name)


def plain_markdown(text: str) -> str:
    """Text that Markdown shows as it is, on one line, in a table too."""
    return re.sub(r"([\\`*_\[\]<>|#~$])", r"\\\1", " ".join(text.split()))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-") or "results"
