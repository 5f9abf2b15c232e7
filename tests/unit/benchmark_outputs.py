"""What a method might have given, and pictures and files to read, for tests of benchmarks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from headwise.benchmarks import benchmark
from headwise.evaluation.items import Item, Measure, Output, QuestionItem


def questions(name: str, rows: Sequence[Mapping[str, object]]) -> list[QuestionItem]:
    items = benchmark(name).items(rows)
    assert all(isinstance(item, QuestionItem) for item in items)
    assert len({item.id for item in items}) == len(items)
    return [item for item in items if isinstance(item, QuestionItem)]


def rewards(items: Sequence[Item], values: Iterable[Sequence[float]]) -> list[Output]:
    return [
        Output(item.id, rewards=tuple(given)) for item, given in zip(items, values, strict=True)
    ]


def answers(items: Sequence[Item], values: Iterable[str | None]) -> list[Output]:
    return [Output(item.id, answer=given) for item, given in zip(items, values, strict=True)]


def chances(items: Sequence[Item], values: Iterable[float]) -> list[Output]:
    """Outputs of yes/no questions by the probability of Yes."""
    return [
        Output(item.id, answer="Yes", probabilities={"Yes": p, "No": 1 - p})
        for item, p in zip(items, values, strict=True)
    ]


def value(measures: Sequence[Measure], name: str, split: str = "all") -> float:
    found = [m.value for m in measures if m.name == name and m.split == split]
    assert len(found) == 1, (name, split, measures)
    return found[0]


def picture(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (shade, 255 - shade, 128)).save(path)
    return path


def png(shade: int = 0) -> dict[str, object]:
    """A picture as the Hub's tables have it."""
    stream = BytesIO()
    Image.new("RGB", (4, 4), (shade, 255 - shade, 128)).save(stream, format="PNG")
    return {"bytes": stream.getvalue(), "path": None}


def jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path
