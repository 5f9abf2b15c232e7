"""Writes `docs/benchmarks.md`: what each benchmark is, from the headers of the benchmarks.

PYTHONPATH=src python tests/benchmark_page.py
"""

from __future__ import annotations

from pathlib import Path

from headwise.benchmarks import benchmark, names
from headwise.evaluation.items import Header

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

_TASKS = {
    "rewards": "Responses are scored",
    "classes": "A class is picked",
    "answers": "Questions are answered",
}
_HEAD = """# Benchmarks

<!-- Written by tests/benchmark_page.py from the headers in src/headwise/benchmarks. -->

Each benchmark is one file in `src/headwise/benchmarks`; the registry is the folder. It has a header
(below), makes items out of the rows of its data, and turns what a method gave into its official
figures, each of which is tested on cases worked out by hand.

```python
from headwise.benchmarks import benchmark, load_rows

rewardbench = benchmark("rewardbench")
rows = load_rows(rewardbench.header, "path/to/rewardbench.parquet")  # or None: from the Hub
items = rewardbench.items(rows)
# outputs: headwise.evaluation.items.Output, one an item, from any method
figures = rewardbench.measures(items, outputs)  # the first is the headline
```

## Where data comes from

From the Hugging Face Hub (extra `hub`), or from what you have: a file (JSONL, JSON, CSV, TSV,
Parquet), a folder of such files, a folder that `datasets` wrote with `save_to_disk`, or a folder
with a folder of pictures for each class. In a folder the files or folders may be named by split.
Pictures may be files (relative paths begin in the folder of the data, or in a folder beside it),
data URLs, or `{"bytes": ...}` as the Hub's tables have them. With a limit, only that many rows are
downloaded. No code of a data set is run.

`load_support(header, data)` gives the rows that support examples come from, or None where data on
disk does not have them apart (one file, a folder of classes): then support is taken out of the
scored rows.

Columns are found by several names, capitals aside. Where a benchmark says that its columns were
not checked, they are from memory; a row that lacks one says which it has. Licences are those that
were stated when this was written; read them again before you use the data.

## A benchmark of your own

A module `src/headwise/benchmarks/NAME.py` with a `BENCHMARK` that satisfies
`headwise.evaluation.items.Benchmark` is found by itself. Items that are right together or not at
all (NaturalBench, Winoground, SugarCrepe, MMBench) share a `group`, and are only scored whole.
"""


def rows_of(task: str) -> list[Header]:
    """The headers of benchmarks with a task, by title."""
    headers = [benchmark(name).header for name in names()]
    return sorted((h for h in headers if h.task == task), key=lambda h: h.title.casefold())


def section(header: Header) -> str:
    """What a benchmark is."""
    data = f"`{header.dataset}`, split `{header.split}`" if header.dataset else header.source
    told = [
        f"### `{header.name}`: {header.title}",
        f"{header.scoring}",
        f"- Data: {data}, revision {header.revision or 'not fixed'}; licence {header.licence}. "
        + ("With pictures. " if header.images else "")
        + (f"Support examples from split `{header.support}`." if header.support else ""),
        f"- Paper: {header.paper}",
        "- Columns"
        + ("" if header.checked else " (not checked)")
        + ": "
        + "; ".join(f"`{column}` ({what})" for column, what in header.fields.items()),
    ]
    if header.configs:
        told.append(f"- Configurations: {', '.join(header.configs)}")
    if header.files:
        told.append(f"- Files: {', '.join(f'`{file}`' for file in header.files)}")
    if header.judge:
        told.append("- Needs a judge: `benchmark(...).judged_by(engine)`")
    if header.notes:
        told.append(f"- {header.notes}")
    return told[0] + "\n\n" + told[1] + "\n\n" + "\n".join(line.rstrip() for line in told[2:])


def page() -> str:
    """The page."""
    parts = [_HEAD]
    for task, title in _TASKS.items():
        headers = rows_of(task)
        parts += [f"## {title}", *(section(header) for header in headers)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
