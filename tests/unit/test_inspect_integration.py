"""The scorers inside inspect_ai itself, with its mock model; skipped where it is not installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from headwise.engines.transformers import TransformersEngine
from headwise.errors import InputError
from headwise.examples import Example, Preference
from headwise.methods.activation_reward import ActivationRewardModel
from headwise.methods.sparse_attention_vectors import SparseAttentionVectors

# A 35 MB wheel with some sixty packages under it: too much for every test run.
inspect_ai = pytest.importorskip("inspect_ai", reason="inspect-ai is heavy and optional")

ANSWERS = ("good answer", "no no no", "good answer 3")
QUESTIONS = ("question 1", "question 2", "question 3")


@pytest.fixture
def loads_tiny(tiny_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an artifact asks for, the tiny model is loaded."""
    monkeypatch.setattr("headwise.engines.load.load", lambda name, **how: tiny_engine)


def evaluated(scorer: Any, targets: tuple[str, ...], tmp_path: Path) -> Any:
    from inspect_ai import Task, eval  # noqa: A004
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.solver import generate

    samples = [Sample(q, target=t) for q, t in zip(QUESTIONS, targets, strict=True)]
    outputs = [ModelOutput.from_content("mockllm/model", answer) for answer in ANSWERS]
    for output in outputs:
        # Without it inspect downloads a tokenizer to count with.
        output.usage = ModelUsage()
    [log] = eval(
        Task(dataset=MemoryDataset(samples), solver=generate(), scorer=scorer),
        model=get_model("mockllm/model", custom_outputs=outputs),
        log_dir=str(tmp_path / "logs"),
        display="none",
        max_samples=1,
    )
    assert log.status == "success", log.error
    return log


def scores(log: Any) -> list[Any]:
    return [next(iter(sample.scores.values())) for sample in log.samples]


@pytest.mark.usefixtures("loads_tiny")
def test_a_score_is_the_reward_of_the_answer(
    tiny_engine: TransformersEngine, tmp_path: Path
) -> None:
    from headwise.integrations.inspect_ai import headwise_reward

    pairs = [Preference(f"question {n}", f"good answer {n}", f"no {n}") for n in range(6)]
    fitted = ActivationRewardModel("It is good.", readout="sparse").fit(tiny_engine, pairs)
    fitted.save_pretrained(tmp_path / "reward")
    log = evaluated(headwise_reward(str(tmp_path / "reward")), ("",) * 3, tmp_path)
    expected = fitted.score(QUESTIONS, ANSWERS)
    assert [one.value for one in scores(log)] == pytest.approx(expected.tolist(), abs=1e-5)
    metrics = log.results.scores[0].metrics
    assert metrics["mean"].value == pytest.approx(expected.mean(), abs=1e-5)
    ranked = ActivationRewardModel("It is good.", "ranked", "sparse").fit(tiny_engine, pairs)
    ranked.save_pretrained(tmp_path / "ranked")
    with pytest.raises(InputError, match="ranked form"):
        headwise_reward(str(tmp_path / "ranked"))


@pytest.mark.usefixtures("loads_tiny")
def test_a_classifier_is_right_where_the_answer_is_of_the_class_expected(
    tiny_engine: TransformersEngine, tmp_path: Path
) -> None:
    from headwise.integrations.inspect_ai import headwise_classifier, headwise_reward

    support = [Example(f"{k} answer {n}", k) for n in range(4) for k in ("good", "no")]
    fitted = SparseAttentionVectors(n_heads=2).fit(tiny_engine, support)
    folder = tmp_path / "classifier"
    fitted.save_pretrained(folder)
    log = evaluated(headwise_classifier(str(folder)), ("good", "good", "no"), tmp_path)
    predicted = fitted.predict(ANSWERS)
    assert [one.answer for one in scores(log)] == predicted
    right = [p == t for p, t in zip(predicted, ("good", "good", "no"), strict=True)]
    assert [one.value == "C" for one in scores(log)] == right
    inputs = evaluated(
        headwise_classifier(str(folder), of="input", expected="no"), ("",) * 3, tmp_path
    )
    assert [one.answer for one in scores(inputs)] == fitted.predict(QUESTIONS)
    with pytest.raises(InputError, match="was made by 'sparse-attention-vectors'"):
        headwise_reward(str(folder))


def test_the_scorers_are_found_by_their_entry_point() -> None:
    from importlib.metadata import entry_points

    found = {point.name: point.value for point in entry_points(group="inspect_ai")}
    if "headwise" not in found and os.environ.get("PYTHONPATH"):
        pytest.skip("headwise is on PYTHONPATH and not installed, so it has no entry points")
    assert found["headwise"] == "headwise.integrations.inspect_ai"
