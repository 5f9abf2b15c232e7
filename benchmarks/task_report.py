"""Renders what `benchmarks.tasks` measured as a page of the docs with a plot.

python -m benchmarks.task_report results/tasks.jsonl -o docs/task_vectors.md
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.report import markdown_table
from benchmarks.task_results import Ledger, Measured

_PAGE = """\
# Task vectors, measured

SmolLM2-135M-Instruct, float32, two CPU cores. Tasks of
[function_vectors](https://github.com/ericwtodd/function_vectors), put as `Q: x\\nA:`. Each seed
splits a task's rows anew into 100 test items and up to 256 others to learn from; an answer is right
if its first line is the target. Means over the seeds, with the lowest and the highest in brackets.
Seconds are this machine's.

```
python -m benchmarks.tasks DATA_DIR -o results/tasks.jsonl
python -m benchmarks.task_report results/tasks.jsonl -o docs/task_vectors.md
```

"""
_TITLES = {
    "in-context": "In-context learning",
    "selectors": "Task vectors, by how their heads are chosen",
    "positions": "Where to steer, and which tokens of a target to search by",
    "curve": "More compressed shots",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Renders a ledger."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ledger", type=Path, help="what benchmarks.tasks wrote")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    if not given.ledger.exists():
        parser.error(f"there is no {given.ledger}; run benchmarks.tasks first")
    rows = Ledger(given.ledger).rows
    plot = given.output.with_name(f"{given.output.stem}_curve.png")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(render(rows, plot.name), encoding="utf-8")
    draw_curve(rows, plot)


def render(rows: Sequence[Measured], plot: str) -> str:
    """The page.

    Args:
        rows: All measurements.
        plot: File name of the curve's plot.

    Returns:
        Markdown.
    """
    page = _PAGE
    for part, title in _TITLES.items():
        own = [row for row in rows if row.part == part]
        if own:
            page += f"## {title}\n\n"
            page += f"![Accuracy over compressed shots]({plot})\n\n" if part == "curve" else ""
            page += "\n".join(_part(own)) + "\n\n"
    return page.rstrip() + "\n"


def _part(rows: Sequence[Measured]) -> list[str]:
    cells = []
    for task in dict.fromkeys(row.task for row in rows):
        for way in dict.fromkeys(row.way for row in rows if row.task == task):
            cells.append(_line([row for row in rows if (row.task, row.way) == (task, way)]))
    header = ("task", "way", "accuracy", "seeds", "heads", "prompt tokens", "answer", "search")
    return markdown_table(header, cells)


def _line(rows: Sequence[Measured]) -> tuple[str, ...]:
    accuracies = [row.accuracy for row in rows]
    fitted = any(row.fit_seconds for row in rows)
    return (
        rows[0].task,
        rows[0].way,
        f"{np.mean(accuracies):.3f} ({min(accuracies):.2f} to {max(accuracies):.2f})",
        str(len(rows)),
        f"{np.mean([row.n_heads for row in rows]):.0f}" if fitted else "",
        f"{np.mean([row.prompt_tokens for row in rows]):.0f}",
        f"{np.mean([row.answer_seconds for row in rows]):.1f} s",
        f"{np.mean([row.search_seconds for row in rows]):.1f} s" if fitted else "",
    )


def draw_curve(rows: Sequence[Measured], path: Path) -> None:
    """Plots accuracy over compressed shots, beside in-context learning.

    Args:
        rows: All measurements; nothing is drawn where none is of the curve.
        path: The PNG file.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    curve = [row for row in rows if row.part == "curve"]
    if not curve:
        return
    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for number, task in enumerate(dict.fromkeys(row.task for row in curve)):
        own = [row for row in curve if row.task == task]
        shots = sorted({_shots(row) for row in own})
        values = [[row.accuracy for row in own if _shots(row) == n] for n in shots]
        means = [float(np.mean(value)) for value in values]
        colour = f"C{number}"
        axes.plot(shots, means, "o-", color=colour, label=f"{task}, task vector")
        axes.fill_between(shots, [min(v) for v in values], [max(v) for v in values], alpha=0.15)
        beside = [r.accuracy for r in rows if (r.task, r.way) == (task, "10-shot")]
        if beside:
            level = float(np.mean(beside))
            axes.axhline(level, color=colour, linestyle=":", label=f"{task}, 10-shot in context")
    axes.set(xscale="log", xlabel="compressed shots", ylabel="accuracy", ylim=(0, None))
    axes.set_xticks(sorted({_shots(row) for row in curve}))
    axes.get_xaxis().set_major_formatter(matplotlib.ticker.ScalarFormatter())
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _shots(row: Measured) -> int:
    return int(row.way.split()[0])


if __name__ == "__main__":
    main()
