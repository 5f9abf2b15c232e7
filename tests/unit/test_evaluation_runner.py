"""Evaluations: what is fitted on what, failures that stay alone, and killed runs that go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_benchmark import (
    CLASSES,
    PlantedAnswerer,
    PlantedClassifier,
    PlantedEngine,
    PlantedRewarder,
    benchmark,
    classifier,
    contender,
    failing,
    question,
    questions,
    rewards,
    zero_shot,
)

from headwise.errors import InputError
from headwise.evaluation.contenders import Contender
from headwise.evaluation.intervals import wilson
from headwise.evaluation.items import Item, Output, QuestionItem, RewardItem
from headwise.evaluation.outputs import outputs_of, score_of
from headwise.evaluation.plan import Plan
from headwise.evaluation.results import BenchResult
from headwise.evaluation.runner import run
from headwise.examples import Example

ENGINE: Any = PlantedEngine()


def still() -> float:
    """A clock that stands still, so that two runs differ in nothing."""
    return 0.0


def plan(*contenders: Contender, n: int = 60, **options: Any) -> Plan:
    settings = {"shots": (2, 4), "seeds": (0, 1, 2), "chunk": 7, **options}
    return Plan.of(benchmark(), questions(n), contenders, **settings)


def test_every_method_runs_with_every_support_and_is_scored_by_the_rule() -> None:
    found = run(plan(classifier("a", 5), zero_shot("z", 3)), ENGINE)
    keys = [(r.method, r.shots, r.seed) for r in found.runs]
    assert keys == [*(("a", k, s) for k in (2, 4) for s in (0, 1, 2)), ("z", 0, 0)]
    for one in found.runs:
        wrong_every = {"a": 5, "z": 3}[one.method]
        numbers = [int(item.id[1:]) for item in found.items]
        assert one.scores == tuple(float(n % wrong_every != 0) for n in numbers)
        assert [output.id for output in one.outputs] == [item.id for item in found.items]
    headline = next(f for f in found.official if f.method == "a")
    assert headline.value == pytest.approx(np.mean(found.runs[0].scores))
    assert headline.low is not None
    assert headline.low < headline.value < (headline.high or 0)
    assert {f.split for f in found.official} == {"all", "even", "odd"}


def test_nothing_that_is_learned_from_is_scored() -> None:
    method, shown = contender("a", lambda support: PlantedClassifier(5))
    found = run(plan(method), ENGINE)
    scored = {f"question {item.id[1:]}" for item in found.items}
    assert len(shown) == 6
    for support in shown:
        assert not scored & {example.text for example in support}
    assert [len(of["support"]) for of in ({"support": s} for s in shown)] == [4, 4, 4, 8, 8, 8]
    assert all(set(one.support) == {""} for one in found.runs)


def test_a_rule_that_is_never_met_is_doubted_by_its_number() -> None:
    headline = run(plan(classifier("a", 1), shots=(2,)), ENGINE).official[0]
    assert (headline.value, headline.low) == (0.0, 0.0)
    assert headline.high == pytest.approx(wilson(0, headline.n).high)


def test_what_is_scored_does_not_hang_on_who_takes_part() -> None:
    alone, both = plan(zero_shot("z", 3)), plan(classifier("a", 5), zero_shot("z", 3))
    assert alone.scored == both.scored
    assert len(alone.scored) < 60


def test_a_method_that_fails_loses_nobody_else(tmp_path: Path) -> None:
    broken, _ = contender("broken", lambda support: object())
    found = run(plan(failing("f"), classifier("a", 5), broken), ENGINE, tmp_path / "l.jsonl")
    errors = {one.method: one.error for one in found.runs}
    assert errors["f"] == "the prompt does not fit the context"
    assert "no `answer`" in str(errors["broken"])
    assert errors["a"] is None
    assert {figure.method for figure in found.official} == {"a"}
    assert {one.outputs for one in found.failed} == {()}


def test_a_failure_in_the_middle_fails_its_own_seed_alone() -> None:
    class Fragile(PlantedClassifier):
        calls = 0

        def predict_proba(self, examples: Any, *, progress: bool = False) -> Any:
            Fragile.calls += 1
            if Fragile.calls == 3:
                raise IndexError("position 9000")
            return super().predict_proba(examples)

    method, _ = contender("a", lambda support: Fragile(5))
    found = run(plan(method, shots=(2,)), ENGINE)
    assert [one.error for one in found.runs] == ["IndexError: position 9000", None, None]


class Killed(BaseException):
    """What ends a process."""


def killed_at(chunk: int) -> tuple[Contender, list[int]]:
    """A method whose process is killed once, at some chunk."""
    chunks = [0]

    class Mortal(PlantedClassifier):
        def predict_proba(self, examples: Any, *, progress: bool = False) -> Any:
            chunks[0] += 1
            if chunks[0] == chunk:
                raise Killed
            return super().predict_proba(examples)

    return contender("a", lambda support: Mortal(5))[0], chunks


@pytest.mark.parametrize("chunk", [1, 2, 9, 30])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, chunk: int) -> None:
    others = zero_shot("z", 3), failing("f")
    whole = run(plan(*others, classifier("a", 5)), ENGINE, tmp_path / "w.jsonl", clock=still)
    ledger = tmp_path / "l.jsonl"
    method, chunks = killed_at(chunk)
    with pytest.raises(Killed):
        run(plan(*others, method), ENGINE, ledger, clock=still)
    # What a kill leaves behind within a line.
    with ledger.open("ab") as file:
        file.write(b'{"trial": "a, 2 sh')
    done = run(plan(*others, method), ENGINE, ledger, clock=still)
    n_chunks = sum(step.trial.contender.name == "a" for step in plan(*others, method).steps())
    assert chunks[0] == n_chunks + 1
    assert done.to_bytes() == whole.to_bytes()
    assert ledger.read_bytes() == (tmp_path / "w.jsonl").read_bytes()


def test_a_finished_run_computes_nothing_again(tmp_path: Path) -> None:
    method, shown = contender("a", lambda support: PlantedClassifier(5))
    first = run(plan(method), ENGINE, tmp_path / "l.jsonl")
    n_fits = len(shown)
    assert run(plan(method), ENGINE, tmp_path / "l.jsonl").to_bytes() == first.to_bytes()
    assert len(shown) == n_fits


def test_a_ledger_of_another_job_is_refused(tmp_path: Path) -> None:
    ledger = tmp_path / "l.jsonl"
    run(plan(classifier("a", 5)), ENGINE, ledger)
    for other, what in (
        (plan(classifier("b", 5)), "methods"),
        (plan(classifier("a", 5), seeds=(5,)), "seeds"),
        (plan(classifier("a", 5), n=80), "items"),
        (plan(classifier("a", 5, settings={"n_heads": 3})), "methods"),
    ):
        with pytest.raises(InputError, match=f"another job, which differs in .*{what}"):
            run(other, ENGINE, ledger)
    run(plan(classifier("b", 5)), ENGINE, ledger, overwrite=True)


def test_a_result_is_read_back_as_it_was(tmp_path: Path) -> None:
    found = run(plan(classifier("a", 5), failing("f")), ENGINE, command=["headwise", "bench"])
    path = tmp_path / "r.json"
    found.write(path)
    assert BenchResult.read(path) == found
    assert BenchResult.read(path).to_bytes() == path.read_bytes()
    assert set(found.versions) >= {"headwise", "torch", "transformers", "python"}
    assert found.model.model_id == "planted"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format="x"), "no result of headwise bench|not a result"),
        (lambda d: d.update(format_version=9), "newer headwise"),
        (lambda d: d["runs"][0].pop("seed"), r"runs\[0\]: 'seed' is missing"),
        (
            lambda d: d["runs"][1].update(shots="two"),
            r"runs\[1\]: shots is 'two'; expected a whole",
        ),
        (lambda d: d["runs"][0]["outputs"].pop(), "outputs and .* scores"),
        (lambda d: d["runs"][0].update(method="x"), "of 'x'"),
        (lambda d: d["benchmark"].update(task="singing"), "benchmark: task is 'singing'"),
    ],
)
def test_a_damaged_result_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    document = json.loads(run(plan(classifier("a", 5)), ENGINE).to_bytes())
    change(document)
    path = tmp_path / "r.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=message):
        BenchResult.read(path)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("[1")
    with pytest.raises(InputError, match="not JSON"):
        BenchResult.read(path)


def liking(support: Any) -> PlantedRewarder:
    return PlantedRewarder({pair.chosen.split()[0] for pair in support})


def test_each_split_can_have_its_own_support() -> None:
    method, shown = contender("a", liking)
    settings = {"shots": (2,), "seeds": (0, 1), "fit_on": "split"}
    of_split = Plan.of(benchmark("rewards"), rewards(30), [method], **settings)
    found = run(of_split, ENGINE)
    assert [{pair.split for pair in support} for support in shown] == [{"even"}, {"odd"}] * 2
    assert all(set(one.support) == {"even", "odd"} for one in found.runs)
    assert all(score == 1 for one in found.runs for score in one.scores)


def test_a_transfer_puts_each_splits_fit_to_every_split() -> None:
    def of_split(support: Any) -> PlantedRewarder:
        return PlantedRewarder({"good"} if support[0].split == "even" else {"bad"})

    method, _ = contender("a", of_split)
    settings = {"shots": (2,), "seeds": (0,), "fit_on": "transfer"}
    found = run(Plan.of(benchmark("rewards"), rewards(30), [method], **settings), ENGINE)
    scores = {one.fitted_on: one.scores for one in found.runs}
    assert set(scores["even"]) == {1.0}
    assert set(scores["odd"]) == {0.0}
    items = [RewardItem(str(n), f"p{n}", ("a", "b")) for n in range(9)]
    with pytest.raises(InputError, match="two splits"):
        Plan.of(benchmark("rewards"), items, [method], **settings)


def test_items_of_one_prompt_are_never_compared_with_each_other() -> None:
    items: list[Item] = [
        RewardItem("a", "p", ("good a", "bad a")),
        RewardItem("b", "p", ("good b", "bad b", "bad c")),
        RewardItem("c", "q", ("good c", "bad d")),
    ]
    rewarder = PlantedRewarder({"good"})
    found = outputs_of("rewards", rewarder, items)
    assert rewarder.calls == [["good a", "bad a", "good c", "bad d"], ["good b", "bad b", "bad c"]]
    assert [output.rewards for output in found] == [(1, 0), (1, 0, 0), (1, 0)]


def test_a_class_is_chosen_among_the_items_own_options() -> None:
    of_three = question(1, options=("dog", "bird"))
    strange = question(1, options=("bird", "fish"))
    found = outputs_of("classes", PlantedClassifier(5), [question(1), of_three, strange])
    assert [output.answer for output in found] == ["dog", "dog", None]
    assert found[0].probabilities == pytest.approx({"cat": 0.25, "dog": 0.75})
    assert found[1].probabilities == {"dog": 1.0}


def test_scores_by_hand() -> None:
    item = RewardItem("a", "p", ("r1", "r2", "w1", "w2"), n_right=2)
    # Of four pairs: 3 > 2, 3 > 1, 2 = 2, 2 > 1.
    assert score_of(item, Output("a", rewards=(3, 2, 2, 1))) == 3.5 / 4
    free = QuestionItem("q", Example("who?", "Ada Lovelace"), references=("Lovelace",))
    answers = (" ada  lovelace.", "lovelace", "Byron", None)
    assert [score_of(free, Output("q", answer=a)) for a in answers] == [1, 1, 0, 0]
    assert score_of(question(1), Output("q1", answer="Dog")) == 0


def test_free_answers_are_scored_and_those_that_lack_counted() -> None:
    items = [QuestionItem(f"a{n}", Example(f"{n} + 1?", str(n + 1))) for n in range(20)]
    table = {f"{n} + 1?": str(n + 1) for n in range(0, 20, 2)}
    method, shown = contender("a", lambda support: PlantedAnswerer(table))
    found = run(Plan.of(benchmark("answers"), items, [method], shots=(3,), seeds=(0,)), ENGINE)
    assert len(shown[0]) == 3
    [one] = found.runs
    assert [output.answer is None for output in one.outputs] == [s == 0 for s in one.scores]


def test_rewards_that_are_no_numbers_fail_the_method() -> None:
    class Broken(PlantedRewarder):
        def score(self, prompts: Any, responses: Any, *args: Any, **options: Any) -> Any:
            return np.full(len(responses), np.nan)

    method, _ = contender("a", lambda support: Broken(set()))
    found = run(Plan.of(benchmark("rewards"), rewards(12), [method], shots=(1,)), ENGINE)
    assert all("NaN" in str(one.error) for one in found.runs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shots": ()}, "There is no number of shots"),
        ({"seeds": (1, 1)}, "seed may be there once; twice: '1'"),
        ({"shots": (-1,)}, "0 at least"),
        ({"fit_on": "some"}, "fit_on is one of"),
        ({"limit": 0}, "A limit is 1 at least"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(classifier("a", 5), **options)


def test_two_methods_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="twice: 'a'"):
        plan(classifier("a", 5), classifier("a", 4))
    with pytest.raises(InputError, match="uses_seed must"):
        classifier("a", 5, uses_seed=False)
    assert CLASSES == ("cat", "dog")
