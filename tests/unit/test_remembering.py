"""The engine that remembers: the same results, and each prompt is run once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from planted_benchmark import benchmark
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from headwise.engines.open_model import DifferentiableEngine, HiddenStateEngine
from headwise.engines.transformers import TransformersEngine
from headwise.engines.transformers.remembering import RememberingEngine
from headwise.engines.usage import spared_seconds
from headwise.evaluation.audit import AuditPlan, AuditSettings, MethodSubject, fact_rows, run_audit
from headwise.evaluation.items import Item, QuestionItem
from headwise.evaluation.named import contenders
from headwise.evaluation.plan import Plan
from headwise.evaluation.results import BenchResult
from headwise.evaluation.runner import run
from headwise.examples import Example
from headwise.heads import HeadActivations, HeadSet, Steering
from headwise.methods.activation_reward import ActivationRewardModel
from headwise.prompts.conversation import Conversation

WORDS = {"animal": ("cat", "dog", "cow"), "place": ("mat", "yard", "room")}
METHODS = ("sav", "sav-paper", "nearest-neighbour", "probe", "zero-shot")


class CountingEngine(TransformersEngine):
    """An engine that counts what it runs."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.captured: Counter[Conversation] = Counter()
        self.scored: Counter[tuple[Conversation, int]] = Counter()

    def capture(
        self, conversations: Sequence[Conversation], heads: HeadSet | None = None, **options: Any
    ) -> HeadActivations:
        self.captured.update(conversations)
        return super().capture(conversations, heads, **options)

    def token_logprobs(
        self,
        conversations: Sequence[Conversation],
        candidates: Sequence[str],
        steering: Steering | None = None,
        **options: Any,
    ) -> Tensor:
        self.scored.update((one, id(steering)) for one in conversations)
        return super().token_logprobs(conversations, candidates, steering, **options)


@pytest.fixture
def counting(
    tiny_model: PreTrainedModel, tiny_tokenizer: PreTrainedTokenizerFast
) -> CountingEngine:
    return CountingEngine(tiny_model, tiny_tokenizer)


def questions() -> list[Item]:
    return [
        QuestionItem(
            f"{name}{n}",
            Example(f"{WORDS[name][n % 3]} {n} {WORDS[name][n % 2]}", name),
            options=tuple(WORDS),
        )
        for n in range(12)
        for name in WORDS
    ]


def bench(engine: TransformersEngine) -> BenchResult:
    items = questions()
    chosen = contenders(METHODS, "classes", items)
    settings: dict[str, Any] = {"shots": (2, 3), "seeds": (0, 1, 2), "chunk": 5}
    return run(Plan.of(benchmark(), items, chosen, **settings), engine)


def test_a_bench_gives_the_same_and_runs_each_prompt_once(counting: CountingEngine) -> None:
    plain = bench(counting)
    assert max(counting.captured.values()) > 10
    counting.captured.clear()
    counting.scored.clear()
    again = bench(RememberingEngine(counting))
    assert set(counting.captured.values()) == set(counting.scored.values()) == {1}
    for mine, theirs in zip(again.runs, plain.runs, strict=True):
        assert mine.error is None
        assert mine.scores == theirs.scores
        assert mine.support == theirs.support
        for one, other in zip(mine.outputs, theirs.outputs, strict=True):
            assert one.answer == other.answer
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-3)


def test_what_learns_nothing_is_run_once_for_all_seeds(counting: CountingEngine) -> None:
    runs = [one for one in bench(counting).runs if one.method == "zero-shot"]
    assert [(one.shots, one.seed) for one in runs] == [(0, 0)]
    assert set(counting.scored.values()) == {1}


def test_an_audit_gives_the_same_and_asks_each_pair_once(counting: CountingEngine) -> None:
    settings = AuditSettings(
        biases=("length", "flattery"), strengths=(1,), items=3, shots=4, few_shot=(0, 2)
    )
    plan = AuditPlan(fact_rows(), settings, fits=True)
    method = ActivationRewardModel("It is right.", readout="sparse", n_heads=2)
    plain = run_audit(MethodSubject("a", method, counting), plan)
    assert max(counting.captured.values()) > 1
    counting.captured.clear()
    again = run_audit(MethodSubject("a", method, RememberingEngine(counting)), plan)
    assert set(counting.captured.values()) == {1}
    for mine, theirs in zip(again.outcomes, plain.outcomes, strict=True):
        assert mine.ids == theirs.ids
        assert mine.plain == pytest.approx(theirs.plain, abs=1e-3)
        assert mine.tempting == pytest.approx(theirs.tempting, abs=1e-3)


def test_log_probabilities_are_told_apart_by_candidates_and_steering(
    counting: CountingEngine,
) -> None:
    engine = RememberingEngine(counting)
    prompts = [Conversation.user(text) for text in ("a", "b", "a")]
    heads = HeadSet.of([(0, 1)])
    steerings = [None, *(Steering(heads, (torch.full((8,), value),)) for value in (1.0, 9.0))]
    for _ in range(2):
        for steering in steerings:
            for candidates in (("x", "y"), ("y", "x", "z")):
                expected = TransformersEngine.token_logprobs(
                    counting, prompts, candidates, steering
                )
                found = engine.token_logprobs(prompts, candidates, steering)
                torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert set(counting.scored.values()) == {2}
    assert engine.token_logprobs([], ("x",)).shape == (0, 1)
    assert spared_seconds(engine) > 0
    assert spared_seconds(counting) == 0


def test_it_is_the_same_engine_and_forgets_as_it_does(counting: CountingEngine) -> None:
    engine = RememberingEngine(counting)
    assert isinstance(engine, DifferentiableEngine)
    assert isinstance(engine, HiddenStateEngine)
    assert engine.model is counting.model
    assert engine.fingerprint == counting.fingerprint
    prompt = Conversation.user("a")
    engine.capture([prompt])
    before = engine.token_logprobs([prompt], ("x",))
    weight = next(engine.model.parameters())
    kept = weight.detach().clone()
    try:
        with torch.no_grad():
            weight.mul_(1.5)
        after = engine.token_logprobs([prompt], ("x",))
        assert not torch.equal(after, before)
        engine.capture([prompt])
        assert counting.captured[prompt] == 2
    finally:
        with torch.no_grad():
            weight.copy_(kept)
    torch.testing.assert_close(engine.token_logprobs([prompt], ("x",)), before)


def test_memory_is_bounded(counting: CountingEngine) -> None:
    prompts = [Conversation.user(text) for text in "abc"]
    engine = RememberingEngine(counting, most_bytes=0)
    for _ in range(2):
        engine.capture(prompts)
    assert set(counting.captured.values()) == {2}
