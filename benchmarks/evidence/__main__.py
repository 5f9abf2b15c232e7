"""Runs the evidence and writes its page.

    python -m benchmarks.evidence                          everything, then docs/results.md
    python -m benchmarks.evidence --parts classes,rewards  some of it
    python -m benchmarks.evidence --parts page             the page alone, from what there is

Whatever was measured is kept in FOLDER; the same command again goes on behind it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import headwise
from benchmarks.evidence.chains import chains
from benchmarks.evidence.page import write_page
from benchmarks.evidence.run import DTYPE, Evidence
from benchmarks.evidence.tasks import TASKS
from benchmarks.evidence.vectors import vectors
from benchmarks.evidence.ways import Ways
from headwise.engines.transformers.remembering import RememberingEngine

PARTS = (
    *("classes", "rewards", "vectors", "vision", "curve", "transfer", "noise"),
    *("lora", "page"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what was not run before."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evidence",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="comma list")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--items", type=int, default=24, help="test items of each task")
    parser.add_argument("--pairs", type=int, default=6, help="questions for each bias and seed")
    parser.add_argument("--folder", type=Path, default=Path("results/evidence"))
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/results.md"))
    given = parser.parse_args(arguments)
    parts = given.parts.split(",")
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        parser.error(f"parts are {', '.join(PARTS)}; got {', '.join(unknown)}")
    given.folder.mkdir(parents=True, exist_ok=True)
    seeds = tuple(range(given.seeds))
    evidence = Evidence(given.folder, seeds, given.items, given.pairs)
    ledger = Ways(given.folder / "ways.jsonl")
    if set(parts) - {"vision", "page"}:
        # Methods and seeds read the same prompts; results stay the same.
        engine = RememberingEngine(headwise.load(dtype=DTYPE))
        texts = [name for name, task in TASKS.items() if not task.images]
        if "classes" in parts:
            evidence.classes(engine, texts)
        if "rewards" in parts:
            evidence.rewards(engine)
        if "vectors" in parts:
            vectors(engine, ledger, seeds, min(given.items, 50))
        for part in ("curve", "transfer", "noise"):
            if part in parts:
                getattr(evidence, part)(engine)
        if "lora" in parts:
            evidence.lora(engine, texts)
    if "vision" in parts:
        seeing = RememberingEngine(headwise.load("embedded-vision", dtype=DTYPE))
        evidence.classes(seeing, [name for name, task in TASKS.items() if task.images], shots=5)
        evidence.seeing_rewards(seeing)
        chains(seeing, ledger, seeds, given.items)
    if "page" in parts:
        write_page(given.folder, given.output)


if __name__ == "__main__":
    main()
