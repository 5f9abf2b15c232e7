"""A person's own data as a benchmark, methods by name, and options in the text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headwise.errors import InputError
from headwise.evaluation.items import Output, QuestionItem, RewardItem
from headwise.evaluation.lettered import LetteredMethod, with_options
from headwise.evaluation.named import DEFAULT_METHODS, contenders, method_names
from headwise.evaluation.own_data import OwnData, own_data
from headwise.examples import Example


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_classes_are_those_that_occur_and_ids_are_distinct(tmp_path: Path) -> None:
    rows = [
        {"text": "x", "label": "b", "id": "1", "split": "s"},
        {"text": "z", "label": "a", "id": "2", "split": "s"},
        {"text": "y", "label": "a", "id": "1", "split": "t"},
    ]
    data = own_data(written(tmp_path / "mine.jsonl", rows), "classes")
    items = data.read(tmp_path / "mine.jsonl")
    assert [item.id for item in items] == ["1", "2", "1 (2)"]
    assert data.header.task == "classes"
    assert data.header.name == "mine.jsonl"
    assert data.items(rows) == items
    given = [("1", "b"), ("2", "b"), ("1 (2)", "b")]
    outputs = [Output(name, answer=answer) for name, answer in given]
    assert [(m.name, m.value, m.n, m.split) for m in data.measures(items, outputs)] == [
        ("accuracy", 1 / 3, 3, "all"),
        ("accuracy", 0.5, 2, "s"),
        ("accuracy", 0.0, 1, "t"),
    ]


def test_splits_that_share_no_class_are_tasks_of_their_own(tmp_path: Path) -> None:
    found = {"s": "ab", "t": "xy", "u": "bc", "v": "cd"}
    rows = [{"text": s + c, "label": c, "split": s} for s, of in found.items() for c in of]
    path = written(tmp_path / "m.jsonl", rows)
    options = {
        item.split: getattr(item, "options", None) for item in own_data(path, "classes").read(path)
    }
    together = tuple("abcd")
    assert options == {"s": together, "t": ("x", "y"), "u": together, "v": together}


def test_pairs_become_items_with_the_right_response_first(tmp_path: Path) -> None:
    path = written(tmp_path / "p.jsonl", [{"prompt": "q", "chosen": "c", "rejected": "r"}])
    [item] = own_data(path, "rewards").read(path)
    assert isinstance(item, RewardItem)
    assert (item.id, item.responses, item.n_right) == ("row-1", ("c", "r"), 1)
    [measure] = OwnData("p", "rewards").measures([item], [Output("row-1", rewards=(1, 1))])
    assert (measure.name, measure.value) == ("pair accuracy", 0.5)


def test_one_class_only_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", [{"text": "x", "label": "a"}])
    with pytest.raises(InputError, match="--task answers"):
        own_data(path, "classes").read(path)
    [item] = own_data(path, "answers").read(path)
    assert isinstance(item, QuestionItem)
    assert item.options == ()


LETTERED = Example("Which?", "A", {"A": "a cat", "B": "a dog", "text": "Which?"})


def test_options_are_put_into_the_text_once() -> None:
    shown = with_options(LETTERED)
    assert shown.text == "Which?\nA. a cat\nB. a dog"
    assert shown.fields["text"] == shown.text
    assert with_options(shown) == shown
    assert with_options(Example("no options")) == Example("no options")


def questions(n: int, options: tuple[str, ...], **fields: str) -> list[QuestionItem]:
    return [
        QuestionItem(str(k), Example(f"q{k}", options[k % len(options)], fields), options)
        for k in range(n)
    ]


@pytest.mark.parametrize("task", ["classes", "answers", "rewards"])
def test_every_name_makes_a_method_and_the_usual_ones_are_names(task: Any) -> None:
    items = questions(4, ("yes", "no"))
    names = method_names(task)
    assert set(DEFAULT_METHODS[task]) <= set(names)
    made = contenders(names, task, items)
    assert [one.name for one in made] == list(names)
    for one in made:
        assert hasattr(one.make(3), "fit")
    roles = {one.name: one.role for one in made}
    assert {"method", "baseline"} == set(roles.values())


def test_what_learns_nothing_knows_the_classes_and_runs_once() -> None:
    items = questions(4, ("blue", "red"))
    by_name = {one.name: one for one in contenders(["zero-shot", "sav"], "classes", items)}
    method: Any = by_name["zero-shot"].make(0)
    assert method.classes == ("blue", "red")
    assert not by_name["zero-shot"].uses_support
    assert by_name["sav"].uses_support


def test_letters_are_shown_with_their_options() -> None:
    items = questions(4, ("A", "B"), A="a cat", B="a dog")
    [classifier, answerer] = contenders(["sav", "ccot"], "classes", items)
    assert isinstance(classifier.make(0), LetteredMethod)
    method: Any = answerer.make(0)
    assert method.settings.form == "options"


def test_a_servers_address_says_what_it_speaks() -> None:
    url = "http://localhost:9/get_reward"
    names = [url, "http://localhost:9/v1/rewards", "sequence:org/model", "fitted:folder"]
    openrlhf, own, sequence, fitted = contenders(names, "rewards", [])
    made: Any = openrlhf.make(0)
    assert (made.url, made.form) == (url, "openrlhf")
    assert getattr(own.make(0), "form", None) == "headwise"
    assert getattr(sequence.make(0), "model", None) == "org/model"
    assert fitted.role == "method"


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(InputError, match="choose among zero-shot"):
        contenders(["nothing"], "answers", questions(2, ("a", "b")))
    free = [QuestionItem("1", Example("q", "a"))]
    with pytest.raises(InputError, match="no options to choose from"):
        contenders(["sav"], "answers", free)
