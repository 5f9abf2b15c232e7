"""The task-vector benchmark measures what it says, goes on where it stopped, and is rendered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import task_report, tasks
from benchmarks.task_results import Ledger, Measured

from headwise import TransformersEngine
from headwise.examples import Example

ROW = Measured("curve", "antonym", 0, "16 compressed shots", 0.25, 100, 7.0, 1.5, 9.0, 4.0, 12, 1.1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [{"input": f" the cat {n}", "output": f"dog {n} "} for n in range(30)]
    (tmp_path / "animals.json").write_text(json.dumps(rows))
    return tmp_path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tiny_engine: TransformersEngine) -> None:
    monkeypatch.setattr(tasks, "N_TEST", 4)
    monkeypatch.setattr(tasks, "SHOTS", (0, 2))
    monkeypatch.setattr(tasks, "COMPRESSED", (8, 16))
    monkeypatch.setattr(tasks.headwise, "load", lambda: tiny_engine)


def run(data: Path, *options: str) -> list[Measured]:
    output = data / "tasks.jsonl"
    given = [str(data), "--tasks", "animals", "--seeds", "1", "-o", str(output), *options]
    tasks.main(given)
    return Ledger(output).rows


def test_a_split_tests_on_nothing_it_learns_from(data: Path) -> None:
    first, second = (tasks.split_of(data / "animals.json", seed) for seed in (0, 1))
    assert not {example.text for example in first.test} & {e.text for e in first.support}
    assert len(first.test) + len(first.support) == 30
    assert first.test != second.test
    assert Example("the cat 3", "dog 3") in (*first.test, *first.support)


@pytest.mark.usefixtures("small")
def test_every_part_is_measured_once_and_not_again(data: Path) -> None:
    options = ("--selectors", "attribution;mask descent, 10 epochs")
    rows = run(data, *options)
    assert {row.part for row in rows} == set(tasks.PARTS)
    assert len({row.key for row in rows}) == len(rows)
    assert {row.way for row in rows if row.part == "selectors"} == {
        "attribution",
        "mask descent, 10 epochs",
    }
    shots = {row.way: row.prompt_tokens for row in rows if row.part == "in-context"}
    assert shots["2-shot"] > shots["0-shot"]
    assert all(row.prompt_tokens == shots["0-shot"] for row in rows if row.part != "in-context")
    assert run(data, *options) == rows


def test_a_line_that_a_stop_cut_off_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    ledger = Ledger(path)
    ledger.add(ROW)
    ledger.add(replace(ROW, seed=1))
    path.write_text(path.read_text()[:-9])
    again = Ledger(path)
    assert again.rows == [ROW]
    assert not again.has("curve", "antonym", 1, ROW.way)
    again.add(replace(ROW, seed=1))
    assert Ledger(path).rows == [ROW, replace(ROW, seed=1)]


def test_the_page_has_means_over_seeds_and_a_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    ledger = Ledger(tmp_path / "rows.jsonl")
    beside = replace(ROW, part="in-context", way="10-shot", fit_seconds=0.0)
    for row in (ROW, replace(ROW, seed=1, accuracy=0.35), beside):
        ledger.add(row)
    page = tmp_path / "docs" / "page.md"
    task_report.main([str(tmp_path / "rows.jsonl"), "-o", str(page)])
    words = page.read_text()
    line = "| antonym | 16 compressed shots | 0.300 (0.25 to 0.35) | 2 | 12 | 7 | 1.5 s | 4.0 s |"
    assert line in words
    assert "| antonym | 10-shot | 0.250 (0.25 to 0.25) | 1 |  | 7 | 1.5 s |  |" in words
    assert "](page_curve.png)" in words
    assert (tmp_path / "docs" / "page_curve.png").stat().st_size > 1_000
