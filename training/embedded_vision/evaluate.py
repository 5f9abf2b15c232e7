"""Measures the shipped model: held-out scenes, easy-VQA, plain text.

Run `python -m training.embedded_vision.evaluate --help` from the root of the repository. Writes
JSON and a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch

from headwise.engines.embedded_vision import embedded_vision_path
from training.embedded_vision.composed import Composed
from training.embedded_vision.measure_easy_vqa import easy_vqa, easy_vqa_folder, heads
from training.embedded_vision.measure_scenes import (
    Share,
    answers,
    compositional,
    graphs,
    held_out_scenes,
    shots,
)
from training.embedded_vision.measure_text import plain_text

_SUPPORT = 10


def main() -> None:
    """Measures and writes."""
    options = _options()
    torch.manual_seed(0)
    model = Composed(options.model or embedded_vision_path(), getattr(torch, options.dtype))
    scenes = held_out_scenes(options.scenes, options.seed)
    folder = options.easy_vqa or easy_vqa_folder()
    found: dict[str, Share] = {}
    measures: dict[str, Callable[[], dict[str, Share]]] = {
        "scenes": lambda: answers(model, scenes, options.seed),
        "graphs": lambda: graphs(model, scenes),
        "compositional": lambda: compositional(model, scenes, options.seed),
        "shots": lambda: shots(model, options.shots, options.seed),
        "easy_vqa": lambda: easy_vqa(model, folder, options.pictures) if folder else {},
        "heads": lambda: heads(model, folder, _SUPPORT, options.pictures) if folder else {},
        "text": lambda: plain_text(model),
    }
    for part, measure in measures.items():
        if part in options.parts:
            began = time.monotonic()
            found.update(measure())
            print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)
            _write(found, options.output)
    print(table(found))


def table(shares: dict[str, Share]) -> str:
    """The figures as a table in Markdown.

    Args:
        shares: By name, the figure and of how many.

    Returns:
        The table.
    """
    rows = [f"| {name} | {value:.3f} | {count} |" for name, (value, count) in shares.items()]
    return "\n".join(["| what | figure | of |", "| --- | --- | --- |", *rows])


def _write(shares: dict[str, Share], output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    figures = {name: {"figure": value, "of": count} for name, (value, count) in shares.items()}
    output.with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    output.with_suffix(".md").write_text(table(shares) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parts = ["scenes", "graphs", "compositional", "shots", "easy_vqa", "heads", "text"]
    parser.add_argument("--model", type=Path, default=None, help="a folder; the shipped one if not")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--scenes", type=int, default=96)
    parser.add_argument("--shots", type=int, default=48)
    parser.add_argument("--pictures", type=int, default=200, help="of easy-VQA")
    parser.add_argument("--easy-vqa", type=Path, default=None, help="its test folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parts", nargs="+", default=parts, choices=parts)
    parser.add_argument("--output", type=Path, default=Path("results/embedded_vision/evaluation"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
