"""What `headwise bench` tells, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import RenderableType
from rich.table import Table as RichTable

if TYPE_CHECKING:
    from headwise.evaluation.items import Task
    from headwise.evaluation.page import Table
    from headwise.evaluation.summary import Summary


def bench_tables(summary: Summary) -> list[RenderableType]:
    """The tables of a summary, as the report has them.

    Args:
        summary: What was found.

    Returns:
        What to show.
    """
    from headwise.evaluation.page import section_of

    section = section_of(summary, ())
    shown: list[RenderableType] = [f"{section.title}: {len(summary.items)} items"]
    return [*shown, *(_rich(table) for table in section.tables)]


def bench_json(summary: Summary, results: str | None) -> dict[str, Any]:
    """A summary as one JSON object.

    Args:
        summary: What was found.
        results: The results file.

    Returns:
        The object: figures with their intervals, tests, transfers and failures.
    """
    methods = [
        {
            **{k: v for k, v in asdict(one).items() if k not in ("figures", "official")},
            "figures": {name: asdict(figure) for name, figure in one.figures.items()},
            "official": [asdict(figure) for figure in one.official],
        }
        for one in summary.methods
    ]
    return {
        "results": results,
        "benchmark": summary.benchmark.name,
        "model": summary.model.model_id,
        "items": len(summary.items),
        "main_figure": summary.main_figure,
        "methods": methods,
        "comparisons": [asdict(one) for one in summary.comparisons],
        "transfers": [asdict(one) for one in summary.transfers],
        "failed": [
            {"method": r.method, "shots": r.shots, "seed": r.seed, "error": r.error}
            for r in summary.failed
        ],
    }


def benchmarks_json() -> dict[str, Any]:
    """The headers of all benchmarks."""
    return {"benchmarks": [asdict(header) for header in _headers()]}


def benchmarks_table() -> RichTable:
    """All benchmarks, for a person; `--json` has the rest of their headers."""
    rows = [(h.name, h.task, "yes" if h.images else "", h.dataset or h.source) for h in _headers()]
    return _plain_table(("name", "task", "images", "data"), rows)


def methods_json() -> dict[str, Any]:
    """The names of methods by task."""
    from headwise.evaluation.named import DEFAULT_METHODS, OURS, method_names

    tasks: tuple[Task, ...] = ("classes", "rewards", "answers")
    return {
        task: {
            "methods": [name for name in method_names(task) if name in OURS],
            "baselines": [name for name in method_names(task) if name not in OURS],
            "default": list(DEFAULT_METHODS[task]),
        }
        for task in tasks
    }


def methods_table() -> RichTable:
    """The names of methods by task, for a person."""
    rows = [
        (task, ", ".join(names["methods"]), ", ".join(names["baselines"]))
        for task, names in methods_json().items()
    ]
    return _plain_table(("task", "headwise's methods", "baselines"), rows)


def _headers() -> Iterable[Any]:
    from headwise.benchmarks.registry import benchmark, names

    return [benchmark(name).header for name in names()]


def _rich(table: Table) -> RichTable:
    found = _plain_table(table.header, table.rows)
    found.title, found.title_justify = table.caption, "left"
    found.title_style = "bold"
    return found


def _plain_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> RichTable:
    from rich.text import Text

    found = RichTable(box=SIMPLE, pad_edge=False)
    for name in header:
        found.add_column(Text(name), overflow="fold")
    for row in rows:
        # Names may hold what rich would take for markup.
        found.add_row(*(Text(cell) for cell in row))
    return found
