"""The evidence behind docs/results.md: verdicts follow from figures."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("PIL")
pytest.importorskip("matplotlib")

from benchmarks.evidence.claims import CLAIMS, NO_WORSE, RULE, Verdict, of_all, shown
from benchmarks.evidence.findings import Findings, Margin
from benchmarks.evidence.page import write_page
from benchmarks.evidence.tasks import TASKS
from benchmarks.evidence.ways import Answers, Ways
from benchmarks.vision_run import is_same

from headwise.engines.base import ModelFingerprint
from headwise.evaluation.items import Output, QuestionItem
from headwise.evaluation.results import BenchResult, ItemRecord, MethodRecord, Run

GRAPH = "compositional chain of thought"


def _chains(folder: Path, graph: tuple[bool, ...], direct: tuple[bool, ...]) -> Findings:
    ways = Ways(folder / "chains.jsonl")
    ways.add(Answers("chains", "relation", 0, GRAPH, graph))
    ways.add(Answers("chains", "relation", 0, "direct", direct))
    return Findings(folder)


def _verdict(findings: Findings, text: str) -> str:
    return next(claim for claim in CLAIMS if claim.text == text).answered(findings).verdict


def test_a_claim_holds_only_outside_the_interval(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
    better, worse = (True,) * 18 + (False,) * 2, (False,) * 15 + (True,) * 5
    text = "CCoT beats the plain prompt."
    assert _verdict(_chains(tmp_path / "a", better, worse), text) == "reproduced"
    assert _verdict(_chains(tmp_path / "b", worse, better), text) == "not reproduced"
    alike = _chains(tmp_path / "c", (True, False) * 10, (False, True) * 9 + (False, False))
    assert _verdict(alike, text) == "undecided"


@pytest.mark.parametrize(
    ("low", "high", "allowed", "verdict"),
    [
        (0.01, 0.2, 0.0, "reproduced"),
        (-0.01, 0.2, 0.0, "undecided"),
        (-0.2, -0.01, 0.0, "not reproduced"),
        # What is no worse must be shown to be: an interval that holds zero is not enough.
        (-0.04, 0.01, NO_WORSE, "reproduced"),
        (-0.04, -0.01, NO_WORSE, "reproduced"),
        (-0.3, 0.2, NO_WORSE, "undecided"),
        (-0.2, -0.01, NO_WORSE, "not reproduced"),
    ],
)
def test_a_verdict_follows_from_both_ends(
    low: float, high: float, allowed: float, verdict: str
) -> None:
    assert shown(Margin("m", (low + high) / 2, low, high), allowed) == verdict


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        (("reproduced", "reproduced"), "reproduced"),
        (("reproduced", "undecided"), "in part"),
        (("reproduced", "not reproduced"), "in part"),
        (("undecided", "undecided"), "undecided"),
        (("undecided", "not reproduced"), "not reproduced"),
    ],
)
def test_a_claim_of_several_comparisons_needs_all(
    verdicts: tuple[Verdict, ...], verdict: str
) -> None:
    assert of_all(verdicts) == verdict


def test_margins_pair_the_same_items(tmp_path: Path) -> None:
    findings = _chains(tmp_path, (True, True, False, True), (True, False, False, False))
    assert findings.ways_margin("chains", GRAPH, "direct").value == pytest.approx(0.5)
    assert findings.ways_margin("chains", "direct", GRAPH).value == pytest.approx(-0.5)
    way = findings.way("chains", GRAPH)
    assert way is not None
    assert way.share.low <= way.share.value == 0.75 <= way.share.high


def test_what_was_not_run_is_said(tmp_path: Path) -> None:
    # What a stopped run leaves is no result.
    (tmp_path / "classes-topics.jsonl.headwise.json").write_text("{}")
    (tmp_path / "classes-topics.jsonl").write_text("")
    verdicts = {claim.answered(Findings(tmp_path)).verdict for claim in CLAIMS}
    assert verdicts == {"not run", "not testable here"}
    assert {claim.section for claim in CLAIMS} == {"1", "2", "3", "4", "5"}


def test_the_page_has_a_row_for_every_claim(tmp_path: Path) -> None:
    _chains(tmp_path, (True,) * 4, (False,) * 4)
    write_page(tmp_path, tmp_path / "docs" / "results.md")
    text = (tmp_path / "docs" / "results.md").read_text("utf-8")
    assert all(claim.text in text for claim in CLAIMS)
    assert RULE in text
    assert (tmp_path / "docs" / "results" / "chains.svg").is_file()


def test_ways_are_kept_and_a_cut_line_is_not(tmp_path: Path) -> None:
    _chains(tmp_path, (True,), (False,))
    with (tmp_path / "chains.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"part": "chains", "ki')
    again = Ways(tmp_path / "chains.jsonl")
    assert again.has("chains", "relation", 0, "direct")
    assert len(again.rows) == 2


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if not task.images])
def test_tasks_have_enough_distinct_labelled_items(name: str) -> None:
    items = TASKS[name].make()
    assert len({item.id for item in items}) == len(items) >= 170
    texts = set()
    for item in items:
        assert isinstance(item, QuestionItem)
        assert item.example.label in item.options
        texts.add(item.example.text)
    assert len(texts) == len(items)


def test_answers_are_the_same_but_for_case_and_full_stop() -> None:
    assert is_same(" Red.", "red")
    assert not is_same(None, "red")


class Bench:
    """Writes results of `headwise bench` with scores that are given."""

    def __init__(self, folder: Path, name: str, shots: tuple[int, ...] = (10,)) -> None:
        self.folder, self.name, self.shots = folder, name, shots
        self.runs: list[Run] = []

    def add(
        self, method: str, right: tuple[bool, ...], shots: int = 10, source: str | None = None
    ) -> Bench:
        for seed in (0, 1):
            outputs = tuple(
                Output(f"{n}", answer="a" if one else "b") for n, one in enumerate(right)
            )
            scores = tuple(map(float, right))
            self.runs.append(
                Run(method, shots, seed, source, None, {}, 0, 0, None, None, outputs, scores)
            )
        return self

    def write(self) -> Findings:
        n = len(self.runs[0].scores)
        names = dict.fromkeys(run.method for run in self.runs)
        splits = [("one", "two")[number >= n // 2] for number in range(n)]
        BenchResult(
            command=(),
            versions={},
            model=ModelFingerprint("planted", None, "P", "a", "b", "c", "float32"),
            benchmark=TASKS["topics"].header,
            data={"items": "planted", "support": "planted"},
            fit_on="all",
            shots=self.shots,
            seeds=(0, 1),
            methods=tuple(MethodRecord(name, "method", {}) for name in names),
            items=tuple(
                ItemRecord(f"{k}", split, None, "a", ("a", "b", "c"), 0, 0)
                for k, split in enumerate(splits)
            ),
            runs=tuple(self.runs),
            official=(),
            notes=(),
        ).write(self.folder / f"{self.name}.json")
        return Findings(self.folder)


def _first(n: int, of: int = 40) -> tuple[bool, ...]:
    return tuple(number < n for number in range(of))


def test_sav_must_be_ahead_on_all_tasks(tmp_path: Path) -> None:
    text = "SAV beats zero-shot."
    one = Bench(tmp_path, "classes-topics").add("sav", _first(36)).add("zero-shot", _first(10))
    assert _verdict(one.write(), text) == "reproduced"
    two = Bench(tmp_path, "classes-tones").add("sav", _first(20)).add("zero-shot", _first(20))
    assert _verdict(two.write(), text) == "in part"
    (tmp_path / "classes-topics.json").unlink()
    assert _verdict(Findings(tmp_path), text) == "undecided"


@pytest.mark.parametrize(
    ("few", "many", "verdict"),
    [(20, 28, "reproduced"), (28, 20, "not reproduced"), (20, 20, "undecided")],
)
def test_more_examples_are_compared_on_the_same_items(
    tmp_path: Path, few: int, many: int, verdict: str
) -> None:
    # 20 and 28 of 40: apart item by item, though both figures' own intervals overlap.
    bench = Bench(tmp_path, "curve-topics", (1, 20))
    found = bench.add("sav", _first(few), shots=1).add("sav", _first(many), shots=20).write()
    assert _verdict(found, "SAV improves with more examples.") == verdict


def _both(of_one: int, of_two: int) -> tuple[bool, ...]:
    """How many of each split's 40 items are right."""
    return (*_first(of_one), *_first(of_two))


@pytest.mark.parametrize(
    ("from_one", "from_two", "verdict"),
    [
        # One task may be easier than the other, for either's heads.
        (_both(38, 24), _both(38, 24), "reproduced"),
        (_both(38, 24), _both(24, 38), "not reproduced"),
        # Nothing is lost against heads that guess.
        (_both(38, 13), _both(38, 13), "in part"),
    ],
)
def test_carried_heads_are_held_against_a_tasks_own(
    tmp_path: Path, from_one: tuple[bool, ...], from_two: tuple[bool, ...], verdict: str
) -> None:
    bench = Bench(tmp_path, "transfer").add("sav", from_one, source="one")
    found = bench.add("sav", from_two, source="two").write()
    text = "Heads found on one task carry to similar tasks."
    assert _verdict(found, text) == verdict
