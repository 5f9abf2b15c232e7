"""Summaries and reports: every method is there, the right ones are compared, bytes repeat."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from planted_benchmark import (
    PlantedEngine,
    PlantedRewarder,
    benchmark,
    classifier,
    contender,
    failing,
    questions,
    rewards,
    zero_shot,
)

from headwise.errors import InputError, MissingExtraError
from headwise.evaluation import report
from headwise.evaluation.contenders import Contender
from headwise.evaluation.figures import run_calibration
from headwise.evaluation.items import Output
from headwise.evaluation.plan import Plan
from headwise.evaluation.results import BenchResult, ItemRecord, Run
from headwise.evaluation.runner import run
from headwise.evaluation.summary import Summary, summarize

ENGINE: Any = PlantedEngine()


def result(*contenders: Contender, shots: tuple[int, ...] = (2, 4)) -> BenchResult:
    plan = Plan.of(benchmark(), questions(80), contenders, shots=shots, seeds=(0, 1))
    return run(plan, ENGINE, command=["headwise", "bench", "planted"], clock=lambda: 0.0)


def summary(*contenders: Contender, shots: tuple[int, ...] = (2, 4)) -> Summary:
    [found] = summarize([result(*contenders, shots=shots)])
    return found


@pytest.fixture(scope="module")
def whole() -> BenchResult:
    return result(
        classifier("heads", 11),
        zero_shot("zero-shot", 3),
        classifier("in-context", 4, role="baseline"),
        failing("<b>broken|</b>"),
    )


def test_methods_are_compared_with_the_best_baseline_of_their_shots(whole: BenchResult) -> None:
    [found] = summarize([whole])
    pairs = [(c.method, c.shots, c.reference, c.reference_shots) for c in found.comparisons]
    assert pairs == [("heads", 2, "in-context", 2), ("heads", 4, "in-context", 4)]
    for one in found.comparisons:
        assert one.test.difference.value > 0
        assert one.holm_mcnemar == pytest.approx(min(1, 2 * one.test.p_mcnemar))
    assert [(m.method, m.shots, m.n_seeds) for m in found.methods] == [
        *(("heads", 2, 2), ("heads", 4, 2), ("zero-shot", 0, 1)),
        *(("in-context", 2, 2), ("in-context", 4, 2)),
    ]


def test_a_baseline_without_shots_can_be_the_best() -> None:
    found = summary(classifier("heads", 4), zero_shot("z", 11), shots=(2,))
    [one] = found.comparisons
    assert (one.reference, one.reference_shots) == ("z", 0)
    assert one.test.difference.value < 0


def test_without_baselines_the_others_are_compared_with_the_best() -> None:
    found = summary(classifier("a", 4), classifier("b", 11), shots=(2,))
    assert [(c.method, c.reference) for c in found.comparisons] == [("a", "b")]


def test_figures_of_a_summary(whole: BenchResult) -> None:
    [found] = summarize([whole])
    heads = found.methods[0]
    assert list(heads.figures) == ["accuracy", "balanced accuracy", "macro F1", "F1 of dog"]
    calibration = heads.calibration
    assert calibration is not None
    assert calibration.confidence == pytest.approx(0.75)
    assert calibration.ece == pytest.approx(abs(calibration.accuracy - 0.75))
    assert heads.unread == 0
    assert found.failed


def test_results_of_the_same_items_stand_together_and_may_not_repeat(whole: BenchResult) -> None:
    other = result(classifier("more", 7))
    assert whole.data == other.data
    [both] = summarize([whole, other])
    assert {m.method for m in both.methods} == {"heads", "zero-shot", "in-context", "more"}
    assert len(both.comparisons) == 4
    with pytest.raises(InputError, match="'heads' with 2 shots and seed 0"):
        summarize([whole, whole])
    with pytest.raises(InputError, match="no results"):
        summarize([])


def test_a_report_has_every_method_and_escapes_what_it_shows(
    whole: BenchResult, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    made = report.write([whole], tmp_path / "report", title="Planted & <found>")
    markdown, html = made.markdown.read_text("utf-8"), made.html.read_text("utf-8")
    for name in ("heads", "zero-shot", "in-context"):
        assert f"| {name} |" in markdown
        assert f"<td>{name}</td>" in html
    assert "the prompt does not fit the context" in markdown
    assert "&lt;b&gt;broken|&lt;/b&gt;" in html
    assert "<b>broken" not in html
    assert r"\<b\>broken\|\</b\>" in markdown
    assert "<title>Planted &amp; &lt;found&gt;</title>" in html
    for stem in ("methods", "shots", "reliability"):
        assert f"plots/1-planted-{stem}.png" in markdown
        assert f"plots/1-planted-{stem}.svg" in html
    assert all(plot.stat().st_size > 1000 for plot in made.plots)
    assert len(made.plots) == 6
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    widths = [line.replace(r"\|", "").count("|") for line in lines]
    assert [w for w, line in zip(widths, lines, strict=True) if set(line) <= set("| -")]
    assert "headwise bench planted" in markdown


def test_the_same_results_give_the_same_bytes(whole: BenchResult, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    first, second = (report.write([whole], tmp_path / name) for name in ("a", "b"))
    for one, other in zip(
        [first.markdown, first.html, *first.plots],
        [second.markdown, second.html, *second.plots],
        strict=True,
    ):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_a_transfer_has_its_matrix_and_its_map(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")

    def fitted(support: Any) -> PlantedRewarder:
        return PlantedRewarder({"good"} if support[0].split == "even" else {"bad"})

    method, _ = contender("heads", fitted)
    plan = Plan.of(
        benchmark("rewards"), rewards(40), [method], shots=(2,), seeds=(0,), fit_on="transfer"
    )
    found = run(plan, ENGINE)
    [one] = summarize([found])
    [table] = one.transfers
    assert table.splits == ("even", "odd")
    assert [[cell.value for cell in row if cell] for row in table.cells] == [[1, 1], [0, 0]]
    made = report.write([found], tmp_path)
    assert "learned on" in made.markdown.read_text("utf-8")
    assert {plot.name for plot in made.plots} == {
        "1-planted-transfer-1.png",
        "1-planted-transfer-1.svg",
    }


def test_rewards_are_read_as_log_odds_and_ties_are_half_right() -> None:
    items = [ItemRecord(str(n), "all", None, None, (), 1, 2) for n in range(4)]
    outputs = tuple(Output(item.id, rewards=(0.0, 0.0)) for item in items)
    tied = Run("a", 0, 0, None, None, {}, 0, 0, None, None, outputs, (0.5,) * 4)
    found = run_calibration(items, [tied])
    assert found is not None
    assert (found.accuracy, found.confidence, found.brier) == (0.5, 0.5, 0.25)
    outputs = tuple(Output(item.id, rewards=(1000.0, -1000.0)) for item in items)
    sure = run_calibration(items, [Run("a", 0, 0, None, None, {}, 0, 0, None, None, outputs, ())])
    assert sure is not None
    assert (sure.accuracy, sure.ece) == (1, 0)


def test_without_matplotlib_the_extra_is_named(
    whole: BenchResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"headwise\[plot\]"):
        report.write([whole], tmp_path)
