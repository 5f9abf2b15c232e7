"""Runs the evidence and writes its page.

    python -m benchmarks.evidence                          everything, then docs/results.md
    python -m benchmarks.evidence --parts classes,rewards  some of it
    python -m benchmarks.evidence --parts page             the page alone, from what there is
    python -m benchmarks.evidence --jobs 2                 two processes, each with half the cores

Small batches gain little from a second core, so two processes are done sooner than one with both.
Whatever was measured is kept in FOLDER; the same command again goes on behind it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import headwise
from benchmarks.evidence.chains import chains
from benchmarks.evidence.page import write_page
from benchmarks.evidence.run import DTYPE, Evidence
from benchmarks.evidence.tasks import TASKS
from benchmarks.evidence.vectors import vectors
from benchmarks.evidence.ways import Ways
from headwise.engines.transformers.remembering import RememberingEngine

# The longest first, so that processes end at about the same time.
PARTS = (
    *("lora", "vision", "rewards", "classes", "vectors", "noise", "curve", "transfer"),
    "page",
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
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the cores")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/results.md"))
    given = parser.parse_args(arguments)
    parts = given.parts.split(",")
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        parser.error(f"parts are {', '.join(PARTS)}; got {', '.join(unknown)}")
    if given.jobs < 1:
        parser.error(f"--jobs is 1 at least; got {given.jobs}")
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.jobs > 1:
        _in_processes(given, [part for part in PARTS if part in parts and part != "page"])
    else:
        _measure(given, parts)
    if "page" in parts:
        write_page(given.folder, given.output)


def _in_processes(given: argparse.Namespace, parts: Sequence[str]) -> None:
    """Runs each part in a process of its own, so many at once, each with its share of the cores."""
    threads = max(1, (os.cpu_count() or 1) // given.jobs)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    numbers = {"--seeds": given.seeds, "--items": given.items, "--pairs": given.pairs}
    options = [text for name, value in numbers.items() for text in (name, str(value))]

    def run(part: str) -> int:
        command = [sys.executable, "-m", "benchmarks.evidence", "--parts", part, *options]
        return subprocess.run(
            [*command, "--folder", str(given.folder)], env=environment, check=False
        ).returncode

    with ThreadPoolExecutor(given.jobs) as pool:
        codes = list(pool.map(run, parts))
    failed = [part for part, code in zip(parts, codes, strict=True) if code]
    if failed:
        sys.exit(f"These parts failed: {', '.join(failed)}. The same command goes on behind them.")


def _measure(given: argparse.Namespace, parts: Sequence[str]) -> None:
    seeds = tuple(range(given.seeds))
    evidence = Evidence(given.folder, seeds, given.items, given.pairs)
    if set(parts) - {"vision", "page"}:
        # Methods and seeds read the same prompts; results stay the same.
        engine = RememberingEngine(headwise.load(dtype=DTYPE))
        texts = [name for name, task in TASKS.items() if not task.images]
        if "classes" in parts:
            evidence.classes(engine, texts)
        if "rewards" in parts:
            evidence.rewards(engine)
        if "vectors" in parts:
            vectors(engine, Ways(given.folder / "vectors.jsonl"), seeds, min(given.items, 50))
        for part in ("curve", "transfer", "noise"):
            if part in parts:
                getattr(evidence, part)(engine)
        if "lora" in parts:
            evidence.lora(engine, texts)
    if "vision" in parts:
        seeing = RememberingEngine(headwise.load("embedded-vision", dtype=DTYPE))
        evidence.classes(seeing, [name for name, task in TASKS.items() if task.images], shots=5)
        evidence.seeing_rewards(seeing)
        chains(seeing, Ways(given.folder / "chains.jsonl"), seeds, given.items)


if __name__ == "__main__":
    main()
