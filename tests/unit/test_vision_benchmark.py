"""The benchmark on pictures measures every method, goes on where it stopped, and is rendered."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import easy_vqa, vision, vision_report, vision_vectors
from benchmarks.task_results import Ledger, Measured
from benchmarks.vision_classes import TUNED
from PIL import Image

from headwise import ActivationRewardModel, TaskVectors, TransformersEngine
from headwise.baselines.lora_training import LoraTraining
from headwise.selection.descent import MaskDescent
from headwise.selection.reinforce import Reinforce
from tiny_vision_models import build_vision

SHADES = {"red": (200, 20, 20), "blue": (20, 20, 200)}


def asked(folder: Path, count: int) -> tuple[easy_vqa.Asked, ...]:
    """Questions of every kind about plain pictures."""
    found = []
    for number in range(count):
        color = ("red", "blue")[number % 2]
        shape = easy_vqa.SHAPES[number // 2 % 2]
        path = folder / f"{folder.name}{number}.png"
        noise = np.random.default_rng(number).integers(0, 40, (28, 28, 3))
        Image.fromarray((noise + np.array(SHADES[color]) // 2).astype(np.uint8)).save(path)
        for text, answer in (
            ("what shape is present?", shape),
            ("what color is the shape?", color),
            ("is there a circle?", "yes" if shape == "circle" else "no"),
            ("is there a red shape?", "yes" if color == "red" else "no"),
            ("is there not a red shape?", "no" if color == "red" else "yes"),
        ):
            kind = easy_vqa.kind_of(text, answer)
            found.append(easy_vqa.Asked(path, text, answer, kind))
    return tuple(found)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tiny model, few rows and short searches."""
    tiny = build_vision("idefics3")
    engine = TransformersEngine(tiny.model, tiny.processor, model_id="tiny")
    parts = []
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
        parts.append(asked(tmp_path / name, 24))
    monkeypatch.setattr(vision.headwise, "load", lambda _, dtype: engine)
    monkeypatch.setattr(vision, "easy_vqa", lambda: easy_vqa.EasyVqa(*parts))
    monkeypatch.setattr("benchmarks.vision_classes.PER_CLASS", 3)
    monkeypatch.setattr(vision_vectors, "N_SUPPORT", 10)
    monkeypatch.setattr("benchmarks.vision_rewards.N_SUPPORT", 4)
    short = MaskDescent(epochs=2, examples_per_epoch=2)
    monkeypatch.setattr(
        vision_vectors.headwise,
        "TaskVectors",
        lambda **given: TaskVectors(n_prompts=4, selector=short, **given),
    )
    once = LoraTraining(epochs=1, patience=1)
    monkeypatch.setattr("benchmarks.vision_classes.LORA", once)
    few = Reinforce(epochs=2)
    monkeypatch.setattr(
        vision.headwise,
        "ActivationRewardModel",
        lambda criterion, seed: ActivationRewardModel(criterion, selector=few, seed=seed),
    )


@pytest.mark.usefixtures("small")
def test_every_part_is_measured_once_rendered_and_not_measured_again(tmp_path: Path) -> None:
    output = tmp_path / "vision.jsonl"
    options = ["--items", "8", "--seeds", "1", "-o", str(output)]
    vision.main(options)
    rows = Ledger(output).rows
    # What is fine-tuned stands beside the other classifiers.
    assert {row.part for row in rows} == set(vision.PARTS) - {"tuned"}
    tuned = [row for row in rows if row.way == "LoRA"]
    assert {row.task for row in tuned} == set(TUNED)
    assert all(row.fit_seconds > 0 for row in tuned)
    assert len({row.key for row in rows}) == len(rows)
    ways = {row.way for row in rows if row.part == "classes"}
    assert {"zero-shot", "4-shot", "probe on all heads", "sparse attention vectors"} <= ways
    assert {row.task for row in rows if row.part == "classes"} >= set(easy_vqa.KINDS)
    tokens = {row.way: row.prompt_tokens for row in rows if row.part == "vectors"}
    assert tokens["task vector"] == tokens["0-shot"] < tokens["4-shot"]
    vision.main(options)
    assert Ledger(output).rows == rows
    page = tmp_path / "page.md"
    vision_report.main([str(output), "-o", str(page)])
    assert all(row.way in page.read_text() for row in rows)


def test_drawn_questions_are_balanced_and_of_pictures_that_differ(tmp_path: Path) -> None:
    everything = asked(tmp_path, 24)
    found = easy_vqa.drawn(everything, "color", 5, np.random.default_rng(0))
    assert sorted(one.answer for one in found) == ["blue"] * 5 + ["red"] * 5
    assert len({one.picture for one in found}) == 10
    assert all(one.example.images and one.example.label == one.answer for one in found)


def test_the_package_is_read_without_running_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "easy_vqa"
    for name in ("train", "test"):
        (package / "data" / name).mkdir(parents=True)
        rows = [["is no circle present?", "yes", 3], ["what color is it?", "teal", 0]]
        (package / "data" / name / "questions.json").write_text(json.dumps(rows))
    (package / "__init__.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(str(tmp_path))
    data = easy_vqa.easy_vqa()
    assert [one.kind for one in data.train] == ["is it not", "color"]
    assert data.test[0].picture == package / "data" / "test" / "images" / "3.png"


def test_an_interval_is_of_all_seeds_items() -> None:
    row = Measured("rewards", "plain", 0, "token probability", 0.5, 50, 90.0, 10.0)
    other = Measured("rewards", "plain", 1, "token probability", 0.7, 50, 90.0, 10.0)
    page = vision_report.render([row, other])
    assert "| plain | token probability | 0.600 | 0.502 to 0.691 | 0.50 0.70 | 90 |" in page
