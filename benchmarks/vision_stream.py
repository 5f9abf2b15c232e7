"""A classifier over 2,000 image rows: memory over time, and tokens a second beside a plain pass.

    python -m benchmarks.vision_stream -o results/vision_stream.json

Fits a classifier on easy-VQA, runs `headwise predict` on a file of rows as a user would, looks at
the process's memory twice a second, and times plain forward passes of the same rows, ready-made
for the model in memory, as the floor.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import headwise
from benchmarks.easy_vqa import Asked, drawn, easy_vqa
from benchmarks.vision_classes import FIXED, PER_CLASS
from headwise.examples import Example
from headwise.prompts.conversation import Conversation

TEXT = FIXED["shape"]
FLOOR_ROWS = 160
FLOOR_BATCH = 32


@dataclass(frozen=True, slots=True)
class Streamed:
    """What the run took.

    Args:
        rows: How many rows.
        tokens: Tokens of their prompts, pictures included.
        seconds: Time of the rows, loading left out.
        tokens_per_second: Of the run.
        floor_tokens_per_second: Of plain forward passes.
        megabytes: Resident memory after each tenth of the time, from the first row on.
    """

    rows: int
    tokens: int
    seconds: float
    tokens_per_second: float
    floor_tokens_per_second: float
    megabytes: tuple[int, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--dtype", default="float32", help="of the model, in both")
    parser.add_argument("-o", "--output", type=Path, default=Path("results/vision_stream.json"))
    given = parser.parse_args(arguments)
    engine = headwise.load("embedded-vision", dtype=given.dtype)
    data = easy_vqa()
    support = drawn(data.train, "shape", PER_CLASS, np.random.default_rng(0))
    pictures = list(dict.fromkeys(one.picture for one in (*data.test, *data.train)))[: given.rows]
    [tokens] = engine.count_tokens([Conversation.user((*_example(support[0]).images, TEXT))])
    floor = _floor(engine, pictures[:FLOOR_ROWS], tokens)
    classifier = headwise.SparseAttentionVectors().fit(engine, [_example(one) for one in support])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        classifier.save_pretrained(folder / "shapes")
        rows = [json.dumps({"image": str(path), "text": TEXT}) for path in pictures]
        (folder / "rows.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
        del engine, classifier
        seconds, memory = _predicted(folder, given.dtype)
    per_second = tokens * len(pictures) / seconds
    found = Streamed(len(pictures), tokens * len(pictures), seconds, per_second, floor, memory)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    print(json.dumps(asdict(found), indent=1))


def _example(one: Asked) -> Example:
    return Example(TEXT, one.answer, images=one.example.images)


def _predicted(folder: Path, dtype: str) -> tuple[float, tuple[int, ...]]:
    """Runs the command; its seconds and memory."""
    command = [sys.executable, "-m", "headwise", "predict", str(folder / "shapes")]
    command += [str(folder / "rows.jsonl"), "-o", str(folder / "out.jsonl")]
    command += ["--json", "--dtype", dtype]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    samples: list[tuple[float, int]] = []
    while process.poll() is None:
        # Until the first rows are there it loads.
        if (folder / "out.jsonl").exists() and (folder / "out.jsonl").stat().st_size:
            samples.append((time.perf_counter(), _resident(process.pid)))
        time.sleep(0.5)
    if process.returncode:
        raise RuntimeError(f"headwise predict ended with {process.returncode}.")
    told: dict[str, Any] = json.loads(process.stdout.read() if process.stdout else "{}")
    places = np.linspace(0, len(samples) - 1, 11).astype(int)
    return float(told["seconds"]), tuple(samples[place][1] for place in places)


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(lines[0].split()[1]) // 1024 if lines else 0


@torch.no_grad()
def _floor(engine: headwise.TransformersEngine, pictures: Sequence[Path], tokens: int) -> float:
    """Tokens a second of plain passes over inputs that are ready, vision tower included."""
    processor: Any = engine.processor
    batches = []
    for at in range(0, len(pictures), FLOOR_BATCH):
        chats = [
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "image": Image.open(path).convert("RGB")},
                        {"type": "text", "text": TEXT},
                    ],
                }
            ]
            for path in pictures[at : at + FLOOR_BATCH]
        ]
        batches.append(
            processor.apply_chat_template(
                chats,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                add_generation_prompt=True,
            )
        )
    core: Any = engine.model.base_model
    core(**batches[0], use_cache=False)
    started = time.perf_counter()
    for batch in batches:
        core(**batch, use_cache=False)
    return tokens * len(pictures) / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
