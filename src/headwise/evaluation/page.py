"""A report as plain content: sections of facts, tables and figures; no markup yet."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from headwise.evaluation.intervals import Interval
from headwise.evaluation.items import Header
from headwise.evaluation.results import OfficialFigure
from headwise.evaluation.summary import Comparison, Summary, TransferTable

_MOST_OFFICIAL = 12


@dataclass(frozen=True, slots=True)
class Table:
    """A table of plain texts.

    Args:
        caption: What it shows.
        header: Column titles.
        rows: Cells.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot.

    Args:
        caption: What it shows.
        stem: Its file's name within the report's folder, without the ending.
    """

    caption: str
    stem: str


@dataclass(frozen=True, slots=True)
class Section:
    """What the results of one benchmark and model say.

    Args:
        title: Of the section.
        facts: Name and value of what was run on what.
        tables: Its tables.
        pictures: Its plots.
        failures: One sentence for each method that failed.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    failures: tuple[str, ...]


def section_of(summary: Summary, pictures: Sequence[Picture]) -> Section:
    """The content of a summary's section.

    Args:
        summary: What the results say.
        pictures: The plots that were drawn of it.

    Returns:
        The section; tables without rows are left out.
    """
    tables = (
        _methods(summary),
        _official(summary),
        _comparisons(summary),
        _calibration(summary),
        _costs(summary),
        *(_transfer(table, summary.main_figure) for table in summary.transfers),
    )
    return Section(
        title=title_of(summary),
        facts=tuple(_facts(summary)),
        tables=tuple(table for table in tables if table.rows),
        pictures=tuple(pictures),
        failures=tuple(_failures(summary)),
    )


def title_of(summary: Summary) -> str:
    """The benchmark and the model."""
    return f"{summary.benchmark.title}, {summary.model.model_id}"


def _facts(summary: Summary) -> list[tuple[str, str]]:
    header, model = summary.benchmark, summary.model
    splits = len(summary.splits)
    facts = [
        ("Scored", f"{len(summary.items)} items" + (f" of {splits} splits" if splits > 1 else "")),
        ("Data", ", ".join(_data(header))),
        ("Rule", header.scoring),
        ("Paper", header.paper),
        ("Licence of the data", header.licence),
        ("Model", f"{model.model_id} ({model.architecture}, {model.dtype})"),
        ("Model's revision", model.revision or "not known"),
        ("Hash of the weights", model.weights_hash),
    ]
    facts.append(("Hash of the scored items", summary.results[0].data["items"][:16]))
    for result in summary.results:
        seeds = ", ".join(map(str, result.seeds))
        versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
        facts.append(("Command", shlex.join(result.command) or "called from Python"))
        facts.append(("Seeds", seeds))
        facts.append(("Versions", versions))
    return [(name, value) for name, value in dict.fromkeys(facts) if value]


def _data(header: Header) -> list[str]:
    named = [header.dataset or header.source, f"split {header.split}"]
    return [*named, f"revision {header.revision}"] if header.revision else named


def _methods(summary: Summary) -> Table:
    names = list(dict.fromkeys(name for row in summary.methods for name in row.figures))
    asks = any(row.unread is not None for row in summary.methods)
    rows = [
        (
            row.method,
            row.role,
            _shots(row.shots),
            str(row.n_seeds),
            *(_interval(row.figures.get(name)) for name in names),
            *([_percent(row.unread)] if asks else []),
        )
        for row in summary.methods
    ]
    header = ("method", "kind", "shots", "seeds", *names, *(["no answer"] if asks else []))
    return Table("Mean over seeds, with 95% intervals over seeds and items", header, tuple(rows))


def _official(summary: Summary) -> Table:
    found = {(r.method, r.shots): r.official for r in summary.methods if r.official}
    keys = list(dict.fromkeys((f.name, f.split) for of in found.values() for f in of))
    keys = keys[:_MOST_OFFICIAL]
    rows = []
    for (method, shots), figures in found.items():
        named = {(f.name, f.split): f for f in figures}
        rows.append((method, _shots(shots), *(_official_cell(named.get(key)) for key in keys)))
    header = ("method", "shots", *(n if s == "all" else f"{n}: {s}" for n, s in keys))
    return Table("By the benchmark's own rule; the first column is its headline", header, (*rows,))


def _comparisons(summary: Summary) -> Table:
    rows = [_comparison(one) for one in summary.comparisons]
    return Table(
        f"Difference in {summary.main_figure} to the best baseline on the same items; p-values "
        f"are corrected for {len(rows)} comparisons (Holm)",
        (
            *("method", "shots", "compared with", "difference", "p (paired bootstrap)"),
            *("p (McNemar, exact)", "only this right", "only that right"),
        ),
        tuple(rows),
    )


def _comparison(one: Comparison) -> tuple[str, ...]:
    shots = f" ({one.reference_shots} shots)" if one.reference_shots else ""
    difference = one.test.difference
    return (
        one.method,
        _shots(one.shots),
        f"{one.reference}{shots}",
        f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]",
        _p(one.holm_bootstrap),
        _p(one.holm_mcnemar),
        str(one.test.only_first),
        str(one.test.only_second),
    )


def _calibration(summary: Summary) -> Table:
    rows = [
        (
            row.method,
            _shots(row.shots),
            f"{row.calibration.ece:.3f}",
            f"{row.calibration.brier:.3f}",
            f"{row.calibration.confidence:.3f}",
            f"{row.calibration.accuracy:.3f}",
        )
        for row in summary.methods
        if row.calibration is not None
    ]
    how = ", rewards read as log-odds" if summary.benchmark.task == "rewards" else ""
    return Table(
        f"Calibration over all seeds and items{how}",
        ("method", "shots", "ECE", "Brier", "mean confidence", "accuracy"),
        tuple(rows),
    )


def _costs(summary: Summary) -> Table:
    rows = [
        (
            row.method,
            _shots(row.shots),
            f"{row.fit_seconds:.2f}",
            f"{1000 * row.item_seconds:.1f}",
            "not counted" if row.item_tokens is None else f"{row.item_tokens:.0f}",
        )
        for row in summary.methods
    ]
    header = ("method", "shots", "fit, s", "an item, ms", "an item, tokens")
    return Table("What it took", header, tuple(rows))


def _transfer(table: TransferTable, figure_name: str) -> Table:
    rows = [
        (source, *(_interval(cell) for cell in cells))
        for source, cells in zip(table.splits, table.cells, strict=True)
    ]
    return Table(
        f"{table.method}, {table.shots} shots: {figure_name} on the column's split, learned on the "
        "row's",
        ("learned on", *table.splits),
        tuple(rows),
    )


def _failures(summary: Summary) -> list[str]:
    found: dict[tuple[str, int, str], list[str]] = {}
    for run in summary.failed:
        source = f" fitted on {run.fitted_on}" if run.fitted_on is not None else ""
        key = run.method, run.shots, str(run.error)
        found.setdefault(key, []).append(f"{run.seed}{source}")
    failures = [
        f"{method} ({_shots(shots)} shots; seeds {', '.join(seeds)}): {error}"
        for (method, shots, error), seeds in found.items()
    ]
    return [*failures, *(note for result in summary.results for note in result.notes)]


def _shots(shots: int) -> str:
    return str(shots) if shots else "none"


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else str(interval)


def _official_cell(figure: OfficialFigure | None) -> str:
    if figure is None or figure.value is None:
        return ""
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
