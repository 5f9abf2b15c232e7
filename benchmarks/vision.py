"""What the embedded multimodal model does with pictures, method by method, beside the baselines.

    python -m benchmarks.vision                        everything
    python -m benchmarks.vision --parts ccot --seeds 1   some of it
    python -m benchmarks.vision_report results/vision.jsonl -o docs/vision.md

Needs easy-VQA (pip install --no-deps easy-vqa). Every measurement is a line of OUTPUT as soon as it
is made; the same command again goes on behind them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import headwise
from benchmarks.easy_vqa import easy_vqa
from benchmarks.task_results import Ledger
from benchmarks.vision_chains import chains
from benchmarks.vision_classes import classes, tuned
from benchmarks.vision_rewards import rewards
from benchmarks.vision_run import VisionRun
from benchmarks.vision_vectors import vectors

PARTS = {
    "classes": classes,
    "vectors": vectors,
    "rewards": rewards,
    "chains": chains,
    "tuned": tuned,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures what was not measured before."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.vision",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="embedded-vision", help="anything headwise.load takes")
    parser.add_argument("--parts", default=",".join(PARTS), help="comma list")
    parser.add_argument("--dtype", default="bfloat16", help="bfloat16, float32 or float16")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--items", type=int, default=200, help="test items of each measurement")
    parser.add_argument("-o", "--output", type=Path, default=Path("results/vision.jsonl"))
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.parts.split(",")) - set(PARTS))
    if unknown:
        parser.error(f"parts are {', '.join(PARTS)}; got {', '.join(unknown)}")
    engine = headwise.load(given.model, dtype=given.dtype)
    run = VisionRun(engine, Ledger(given.output), easy_vqa(), given.items)
    for part in given.parts.split(","):
        for seed in range(given.seeds):
            PARTS[part](run, seed)


if __name__ == "__main__":
    main()
