"""The example of GRPO, on a tiny model: it trains by both rewards, and goes on where it stopped."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

for package in ("trl", "peft", "datasets", "matplotlib"):
    pytest.importorskip(package)

SCRIPT = Path(__file__).parents[2] / "examples" / "grpo_capitals.py"
SMALL = (
    *("--steps", "2", "--evaluate-every", "1", "--held-out", "3", "--prompts-per-step", "1"),
    *("--num-generations", "2", "--max-completion-length", "4"),
)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("grpo_capitals", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look themselves up.
    sys.modules["grpo_capitals"] = module
    spec.loader.exec_module(module)
    return module


def test_what_was_asked_for_is_checked(example: ModuleType) -> None:
    country = example.Country("Iceland", "Reykjavík", "Akureyri")
    assert example.is_as_asked("Reykjavik.", country)
    assert example.is_as_asked("It is Reykjavík", country)
    assert not example.is_as_asked("Akureyri", country)
    assert example.is_as_asked("The capital of Iceland is Reykjavik.", country)
    rambling = "The capital of Iceland is Reykjavik. It is known for its rich history."
    assert not example.is_as_asked(rambling, country)
    assert example.is_named(rambling, country)


def test_no_country_is_in_two_parts(example: ModuleType) -> None:
    split = example.split_countries(0, 40)
    parts = [{one.name for one in part} for part in (split.support, split.train, split.held_out)]
    assert [len(part) for part in parts] == [40, 93, 40]
    assert len(set.union(*parts)) == sum(map(len, parts))


def test_it_goes_on_where_it_was_interrupted(
    example: ModuleType, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--out", str(tmp_path), "--model", str(model_folder), *SMALL]
    evaluate = example.Watcher.evaluate

    def interrupted(self: Any, step: int, model: Any) -> None:
        if step == 2:
            raise KeyboardInterrupt
        evaluate(self, step, model)

    monkeypatch.setattr(example.Watcher, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        example.main([*arguments, "--rewards", "heads"])
    begun = json.loads((tmp_path / "heads.json").read_text())
    assert [one["step"] for one in begun["evaluations"]] == [0, 1]
    assert not begun["finished"]
    monkeypatch.setattr(example.Watcher, "evaluate", evaluate)
    example.main(arguments)
    for name in ("heads", "biased"):
        run = json.loads((tmp_path / f"{name}.json").read_text())
        assert [one["step"] for one in run["evaluations"]] == [0, 1, 2]
        assert run["finished"]
    assert (
        json.loads((tmp_path / "heads.json").read_text())["evaluations"][:2]
        == (begun["evaluations"])
    )
    assert (tmp_path / "grpo.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(example, "train", None)
    example.main(arguments)
