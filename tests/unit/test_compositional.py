"""Compositional chain of thought and its baselines: two calls, one graph for each question."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripted_engine import ScriptedEngine

from headwise.baselines.chain_of_thought import ZeroShotChainOfThought
from headwise.baselines.zero_shot import ZeroShot
from headwise.content import Image, as_image
from headwise.errors import InputError
from headwise.examples import Example
from headwise.graphs import GraphStatus
from headwise.methods.asking import AnswerSettings, FirstCalls
from headwise.methods.compositional import CompositionalChainOfThought
from headwise.methods.text_cache import TextCache
from headwise.prompts.compositional import CompositionalPrompt

GRAPH = '{"objects":[{"id":"a","name":"dog"}],"relations":[]}'


def picture(shade: int) -> Image:
    return as_image(np.full((2, 2, 3), shade, np.uint8))


def script(text: str) -> str:
    if text.startswith(("Scene graph:", "Thoughts:", "Caption:", "Description:")):
        return " The answer is red. "
    if "step by step" in text:
        return "I think."
    return f" {GRAPH}\n" if "Before answering" in text or "scene graph" in text else "Blue."


EXAMPLES = [
    Example("What color is the dog?", images=(picture(1),)),
    Example("What color is the cat?", images=(picture(1),)),
    Example("What color is the dog?", images=(picture(2),)),
    Example("What color is the dog?", "ignored", images=(picture(1),)),
]


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(script)


def test_a_graph_is_written_once_for_an_image_and_a_question(engine: ScriptedEngine) -> None:
    method = CompositionalChainOfThought(engine)
    answers = method.answer(EXAMPLES)
    assert answers.texts == ["red"] * 4
    assert [item.graph.status for item in answers if item.graph] == [GraphStatus.PARSED] * 4
    assert [item.written for item in answers] == [GRAPH] * 4
    assert [item.from_cache for item in answers] == [False, False, False, True]
    assert [len(batch) for batch, _ in engine.batches] == [3, 4]
    assert answers.n_calls == 7
    assert answers.usage is None
    again = method.answer(EXAMPLES[:2])
    assert [item.from_cache for item in again] == [True, True]
    assert again.n_calls == 2


def test_both_calls_are_greedy_and_capped(engine: ScriptedEngine) -> None:
    CompositionalChainOfThought(engine).answer(EXAMPLES[:1])
    caps = [(sampling.max_new_tokens, sampling.temperature) for _, sampling in engine.batches]
    assert caps == [(256, 0.0), (32, 0.0)]
    short = CompositionalChainOfThought(
        engine, AnswerSettings(max_new_tokens=5), max_graph_tokens=7
    )
    short.answer(EXAMPLES[:1])
    assert [sampling.max_new_tokens for _, sampling in engine.batches[2:]] == [7, 5]


@pytest.mark.parametrize(
    ("written", "as_written", "shown", "status"),
    [
        (GRAPH[:-5], False, GRAPH, "repaired"),
        (GRAPH[:-5], True, GRAPH[:-5], "repaired"),
        ("A brown dog.", False, "A brown dog.", "text"),
        (json.dumps(json.loads(GRAPH), indent=2), False, GRAPH, "parsed"),
    ],
)
def test_a_broken_graph_is_repaired_or_used_as_text(
    written: str, as_written: bool, shown: str, status: str
) -> None:
    engine = ScriptedEngine(lambda text: "red" if "Scene graph:" in text else written)
    answers = CompositionalChainOfThought(engine, as_written=as_written).answer(EXAMPLES)
    second = engine.batches[1][0][0].messages[0].text
    assert second.startswith(f"Scene graph: {shown}\n")
    assert answers.graph_counts[status] == 4
    assert sum(answers.graph_counts.values()) == 4


@pytest.mark.parametrize("aid", ["caption", "words"])
def test_the_ablations_have_no_graph(engine: ScriptedEngine, aid: Any) -> None:
    answers = CompositionalChainOfThought(engine, prompt=CompositionalPrompt(aid)).answer(EXAMPLES)
    assert answers.texts == ["red"] * 4
    assert all(item.graph is None and item.written for item in answers)
    assert sum(answers.graph_counts.values()) == 0


def test_without_the_question_a_graph_is_shared_by_the_questions(engine: ScriptedEngine) -> None:
    prompt = CompositionalPrompt(with_question=False)
    CompositionalChainOfThought(engine, prompt=prompt).answer(EXAMPLES)
    assert [len(batch) for batch, _ in engine.batches] == [2, 4]


def test_the_baselines_keep_the_same_contract(engine: ScriptedEngine) -> None:
    plain = ZeroShot(engine).answer(EXAMPLES)
    assert (plain.texts, plain.n_calls) == (["Blue"] * 4, 4)
    thought = ZeroShotChainOfThought(engine).answer(EXAMPLES)
    assert (thought.texts, thought.n_calls) == (["red"] * 4, 7)
    assert [item.written for item in thought] == ["I think."] * 4


def test_generate_and_write_give_the_texts_alone(engine: ScriptedEngine) -> None:
    method = CompositionalChainOfThought(engine)
    assert method.write(EXAMPLES) == [GRAPH] * 4
    assert method.generate(EXAMPLES) == ["The answer is red."] * 4


def test_logprobs_choose_among_all_answers(engine: ScriptedEngine) -> None:
    fields: list[dict[str, str]] = [{"A": "x", "B": "y"}, {"A": "x", "B": "y", "C": "z"}]
    examples = [Example("Which?", fields=f, images=(picture(1),)) for f in (*fields, fields[0])]
    settings = AnswerSettings("options", "logprobs")
    answers = CompositionalChainOfThought(engine, settings).answer(examples)
    assert answers.texts == ["A", "A", "A"]
    assert [(len(c), names) for c, names in engine.scored] == [
        (2, ("A", "B")),
        (1, ("A", "B", "C")),
    ]


def test_what_holds_no_answer_is_counted() -> None:
    engine = ScriptedEngine(lambda _: "Who knows?")
    answers = ZeroShot(engine, AnswerSettings("yes-no")).answer(EXAMPLES)
    assert (answers.texts, answers.n_unread) == ([None] * 4, 4)
    assert answers[0].text == "Who knows?"


def test_graphs_are_kept_in_a_folder(engine: ScriptedEngine, tmp_path: Path) -> None:
    folder = tmp_path / "graphs"
    for expected in (7, 4):
        cache = TextCache(folder=folder)
        answers = CompositionalChainOfThought(engine, cache=cache).answer(EXAMPLES)
        assert answers.n_calls == expected
    assert len(list(folder.iterdir())) == 3
    # Another model writes its own; a damaged file is as none.
    other = ScriptedEngine(script, "other")
    cache = TextCache(folder=folder)
    assert CompositionalChainOfThought(other, cache=cache).answer(EXAMPLES).n_calls == 7
    for file in folder.iterdir():
        file.write_text("{")
    cache = TextCache(folder=folder)
    assert CompositionalChainOfThought(engine, cache=cache).answer(EXAMPLES).n_calls == 7


def test_the_cache_in_memory_is_bounded(engine: ScriptedEngine) -> None:
    cache = TextCache(max_items=2)
    CompositionalChainOfThought(engine, cache=cache).answer(EXAMPLES)
    assert len(cache) == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda e: CompositionalChainOfThought(e).answer([]), "no question"),
        (lambda e: CompositionalChainOfThought(e).answer([Example("Why?")]), "has no image"),
        (lambda e: CompositionalChainOfThought(e, max_graph_tokens=0), "1 at least"),
        (lambda e: AnswerSettings("word", "logprobs"), "compares all answers"),
        (lambda e: AnswerSettings("essay"), "format is one of"),
        (lambda e: AnswerSettings("word", "guess"), "readout is"),
        (lambda e: AnswerSettings(max_new_tokens=0), "1 at least"),
        (lambda e: FirstCalls(0), "1 at least"),
        (lambda e: TextCache(0), "1 at least"),
    ],
)
def test_wrong_arguments_are_told(
    engine: ScriptedEngine, make: Callable[[Any], object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        make(engine)
