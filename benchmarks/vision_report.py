"""Renders what `benchmarks.vision` measured as a page of the docs.

python -m benchmarks.vision_report results/vision.jsonl -o docs/vision.md
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from benchmarks.report import markdown_table
from benchmarks.task_results import Ledger, Measured
from benchmarks.vision_classes import LORA

_HEAD = """\
# Pictures, measured

The embedded multimodal model (`headwise.load("embedded-vision")`, see
[its card](embedded_vision.md)), {dtype}, two CPU cores. Each seed draws support and test items
anew. Accuracy is over all seeds' items, with its 95% confidence interval (Wilson), and each seed's
beside it. Seconds are this machine's{watch}.

```
pip install --no-deps easy-vqa
{ran}
python -m benchmarks.vision_report results/vision.jsonl --dtype {dtype} -o docs/vision.md
```

"""
_PARTS = {
    "classes": (
        "Sparse Attention Vectors on easy-VQA",
        "20 examples a class, 20 heads. Zero-shot and 4-shot take the likeliest of the class "
        f"names. LoRA trains at most {LORA.epochs} epochs on three quarters of the examples.",
    ),
    "vectors": (
        "A multimodal task vector on easy-VQA",
        "Questions of every kind in equal numbers, answered freely; 128 of other pictures to learn "
        "from.",
    ),
    "rewards": (
        "Reward models on image preferences",
        "Drawn scenes, 40 pairs to learn from, all of them plain or half of them lengthy: those "
        "pad the wrong answer.",
    ),
    "chains": (
        "Compositional chain of thought",
        "Questions about drawn scenes that need two objects and a relation between them.",
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Renders a ledger."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ledger", type=Path, help="what benchmarks.vision wrote")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--dtype", default="bfloat16", help="what benchmarks.vision ran in")
    parser.add_argument(
        "--ran",
        nargs="+",
        default=["python -m benchmarks.vision -o results/vision.jsonl"],
        help="the commands that filled the ledger",
    )
    parser.add_argument(
        "--shared-cores", action="store_true", help="whether other work ran beside it"
    )
    given = parser.parse_args(arguments)
    if not given.ledger.exists():
        parser.error(f"there is no {given.ledger}; run benchmarks.vision first")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    watch = ", with other work on the cores" if given.shared_cores else ""
    head = _HEAD.format(dtype=given.dtype, ran="\n".join(given.ran), watch=watch)
    given.output.write_text(head + render(Ledger(given.ledger).rows), encoding="utf-8")


def render(rows: Sequence[Measured]) -> str:
    """The page below its head.

    Args:
        rows: All measurements.

    Returns:
        Markdown.
    """
    page = ""
    for part, (title, about) in _PARTS.items():
        own = [row for row in rows if row.part == part]
        if own:
            page += f"## {title}\n\n{about}\n\n" + "\n".join(_table(own)) + "\n\n"
    return page.rstrip() + "\n"


def _table(rows: Sequence[Measured]) -> list[str]:
    tasks = list(dict.fromkeys(row.task for row in rows))
    ways = list(dict.fromkeys(row.way for row in rows))
    cells = [
        _line(task, way, own)
        for task in tasks
        for way in ways
        if (own := [row for row in rows if (row.task, row.way) == (task, way)])
    ]
    if rows[0].part == "chains":
        cells += [_line("all", way, [row for row in rows if row.way == way]) for way in ways]
    header = ("task", "way", "accuracy", "interval", "seeds", "prompt tokens", "answer", "fit")
    return markdown_table(header, cells)


def _line(task: str, way: str, rows: Sequence[Measured]) -> tuple[str, ...]:
    n_items = sum(row.n_items for row in rows)
    n_right = round(sum(row.accuracy * row.n_items for row in rows))
    interval = binomtest(n_right, n_items).proportion_ci(method="wilson")
    tokens = float(np.mean([row.prompt_tokens for row in rows]))
    fit = max(row.fit_seconds for row in rows)
    per_item = sum(row.answer_seconds for row in rows) / n_items
    by_seed = {row.seed: row.accuracy for row in rows} if task != "all" else {}
    return (
        task,
        way,
        f"{n_right / n_items:.3f}",
        f"{interval.low:.3f} to {interval.high:.3f}",
        " ".join(f"{value:.2f}" for value in by_seed.values()),
        f"{tokens:.0f}" if tokens else "",
        f"{per_item:.2f} s an item",
        f"{fit:.0f} s" if fit else "",
    )


if __name__ == "__main__":
    main()
