"""A selector is a head search or the name of one, and a wrong one says which there are."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, get_args

import pytest
from planted_engine import PLANTED, GradientPlantedEngine, task

from headwise import TransformersEngine, from_pretrained
from headwise.errors import InputError
from headwise.examples import Example
from headwise.methods.activation_reward import ActivationRewardModel
from headwise.methods.task_vectors import TaskVectors
from headwise.selection.attribution import Attribution
from headwise.selection.descent import MaskDescent
from headwise.selection.named import SelectorName, head_search, named_search, with_epochs
from headwise.selection.reinforce import Reinforce
from headwise.selection.search import SearchResult
from headwise.selection.warm_start import AttributionThenReinforce

ENGINE: Any = GradientPlantedEngine()
NAMES = get_args(SelectorName)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_a_search_that_finds_the_planted_heads(name: SelectorName) -> None:
    found = head_search(name, ENGINE, 3).search(ENGINE, task(4), task(2))
    assert set(found.heads) >= PLANTED


@pytest.mark.parametrize("name", NAMES)
def test_a_named_search_has_the_seed_that_is_given(name: SelectorName) -> None:
    search: Any = head_search(name, ENGINE, 7)
    if not isinstance(search, Attribution):
        assert getattr(search, "reinforce", search).seed == 7


def test_a_search_that_is_given_is_taken_as_it_is() -> None:
    given = Reinforce(epochs=5, seed=2)
    assert head_search(given, ENGINE, 7) is given


class OwnSearch:
    """A user's own head search, which no library knows how to write down."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __repr__(self) -> str:
        return "OwnSearch()"

    def search(self, *args: Any, **options: Any) -> SearchResult:
        return Attribution().search(*args, **options)


def test_what_was_used_is_remembered_whatever_it_is(
    tiny_engine: TransformersEngine, tmp_path: Path
) -> None:
    examples = [Example(f"the cat {number}", f"dog {number}") for number in range(6)]
    for selector, expected in (
        ("attribution", "attribution"),
        (MaskDescent(epochs=2), {"class": "MaskDescent", "epochs": 2}),
        (OwnSearch(), "OwnSearch()"),
    ):
        method = TaskVectors(selector=selector, n_prompts=4)
        method.fit(tiny_engine, examples).save_pretrained(tmp_path / "saved")
        told = from_pretrained(tmp_path / "saved", engine=tiny_engine).parameters["selector"]
        if isinstance(expected, dict):
            assert expected.items() <= told.items()
        else:
            assert told == expected


def test_auto_needs_no_gradients_where_there_are_none() -> None:
    assert isinstance(named_search("auto", 0, gradients=True), MaskDescent)
    assert isinstance(named_search("auto", 0, gradients=False), Reinforce)


@pytest.mark.parametrize("wrong", ["Reinforce", "", 3, None, Reinforce], ids=repr)
def test_anything_else_is_an_error_that_names_the_choices(wrong: Any) -> None:
    for method in (TaskVectors, lambda **how: ActivationRewardModel("It is good.", **how)):
        with pytest.raises(InputError, match="'auto', 'descent', 'attribution'"):
            method(selector=wrong)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "attribution"])
def test_epochs_reach_every_search_that_takes_them(name: SelectorName) -> None:
    search: Any = with_epochs(named_search(name, 0, gradients=True), 9)
    assert getattr(search, "reinforce", search).epochs == 9


def test_epochs_of_a_search_without_them_are_an_error() -> None:
    with pytest.raises(InputError, match="Attribution takes no epochs"):
        with_epochs(Attribution(), 9)


def test_a_warm_start_with_another_seed_is_otherwise_the_same() -> None:
    assert AttributionThenReinforce.seeded(0) == AttributionThenReinforce()
