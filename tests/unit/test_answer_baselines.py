"""Ways of answering behind one contract, and answers in context."""

from __future__ import annotations

from typing import Any

import pytest
from scripted_engine import ScriptedEngine

from headwise.baselines.answering import TaskVectorAnswers
from headwise.baselines.in_context import InContextAnswersBaseline
from headwise.baselines.named import ANSWER_METHODS, AnswerOptions, answer_method
from headwise.baselines.shots import DroppedShotsWarning, ShotBudget
from headwise.errors import InputError
from headwise.examples import Example
from headwise.methods.asking import AnswerSettings
from headwise.methods.task_vectors import TaskVectors
from headwise.selection.reinforce import Reinforce
from seeing_engine import COLORS, SeeingEngine, colored

QUICK = Reinforce(epochs=3, masks_per_epoch=4, final_masks=3)


def questions(n: int = 2) -> list[Example]:
    return [
        Example(f"What color is {shade}?", color, images=(colored(color, shade),))
        for shade in range(n)
        for color in COLORS
    ]


@pytest.mark.parametrize("name", ANSWER_METHODS)
def test_every_way_of_answering_keeps_the_contract(name: str) -> None:
    engine: Any = SeeingEngine()
    answerer = answer_method(name, AnswerOptions(AnswerSettings("word"), seed=3)).fit(
        engine, questions()
    )
    asked = [Example("Which?", images=(colored(color, 9),)) for color in COLORS]
    answers = answerer.answer(asked)
    assert answers.texts == list(COLORS)
    assert answers.n_unread == 0
    two_calls = name in ("zero-shot-cot", "ccot")
    assert answers.n_calls == 3 * (1 + two_calls)


def test_an_unknown_name_is_answered_by_the_known_ones() -> None:
    with pytest.raises(InputError, match="choose zero-shot, zero-shot-cot, ccot, in-context"):
        answer_method("magic")


def test_worked_questions_are_asked_as_the_last_one_is() -> None:
    engine: Any = ScriptedEngine(lambda text: "(B)")
    options = {"A": "a cat", "B": "a dog"}
    worked = [Example(f"Who is {k}?", "a dog", options) for k in range(3)]
    answerer = InContextAnswersBaseline(AnswerSettings("options")).fit(engine, worked)
    assert answerer.shots.n_shots == 3
    answers = answerer.answer([Example("Who?", "secret", options)])
    assert answers.texts == ["B"]
    [[conversation], _] = engine.batches[0]
    turns = conversation.messages
    assert [turn.text for turn in turns[1::2]] == ["B"] * 3
    expected = "Who?\nA. a cat\nB. a dog\nAnswer with the letter of the right option."
    assert turns[-1].text == expected
    assert turns[0].text.replace(turns[0].text[:9], "Who?", 1) == expected
    assert "secret" not in " ".join(turn.text for turn in turns)


def test_a_servers_tokens_are_estimated_from_above() -> None:
    engine: Any = ScriptedEngine(lambda text: "yes")
    worked = [Example("x" * 3_000, "yes"), Example("short?", "no"), Example("brief?", "yes")]
    method = InContextAnswersBaseline(AnswerSettings("yes-no"), ShotBudget(max_tokens=100))
    with pytest.warns(DroppedShotsWarning, match="1 of 3"):
        answerer = method.fit(engine, worked)
    assert {one.label for one in answerer.worked} == {"yes", "no"}
    pictured = [Example("Is it red?", "yes", images=(colored("red"),)), Example("Is it?", "no")]
    with pytest.warns(DroppedShotsWarning, match="1 of 2"):
        method.fit(engine, pictured)


def test_worked_questions_need_answers_that_can_be() -> None:
    engine: Any = ScriptedEngine(lambda text: "yes")
    with pytest.raises(InputError, match="no label"):
        answer_method("in-context").fit(engine, [Example("Who?")])
    options = AnswerOptions(AnswerSettings("options"))
    wrong = [Example("Who?", "neither", {"A": "a cat", "B": "a dog"})]
    with pytest.raises(InputError, match="neither"):
        answer_method("in-context", options).fit(engine, wrong)
    with pytest.raises(InputError, match="readout"):
        TaskVectorAnswers(AnswerSettings("yes-no", "logprobs"))


def test_a_task_vector_answers_as_the_form_wants() -> None:
    engine: Any = SeeingEngine()
    settings = AnswerSettings("word", max_new_tokens=5)
    method = TaskVectorAnswers(settings, TaskVectors(selector=QUICK, n_prompts=6))
    answerer = method.fit(engine, questions())
    assert answerer.answer(questions(1)).texts == list(COLORS)
    assert answerer.vector.steering.heads
