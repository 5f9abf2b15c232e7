"""The class for Ray's map_batches, called as Ray calls it: read-only arrays by column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headwise.engines.transformers import TransformersEngine
from headwise.errors import InputError
from headwise.examples import Example, Preference
from headwise.integrations.ray import HeadwiseUDF
from headwise.methods.activation_reward import ActivationRewardModel
from headwise.methods.reward_model import RewardModel
from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier
from headwise.methods.sparse_attention_vectors import SparseAttentionVectors

WORDS = {"animal": ("cat", "dog"), "place": ("mat", "yard")}
SUPPORT = [Example(f"{WORDS[k][n % 2]} {n}", k) for n in range(4) for k in WORDS]
PAIRS = [Preference(f"question {n}", f"good answer {n}", f"no {n}") for n in range(6)]


def read_only(**columns: Any) -> dict[str, np.ndarray]:
    batch = {}
    for name, values in columns.items():
        array = np.empty(len(values), dtype=object) if name == "chat" else np.array(values)
        array[:] = values
        array.flags.writeable = False
        batch[name] = array
    return batch


@pytest.fixture(scope="module")
def classifier(
    tiny_engine: TransformersEngine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SparseAttentionClassifier, str]:
    fitted = SparseAttentionVectors(n_heads=2, instruction="{source}: {text}").fit(
        tiny_engine, [Example(e.text, e.label, fields={"source": "mail"}) for e in SUPPORT]
    )
    folder = str(tmp_path_factory.mktemp("ray") / "classifier")
    fitted.save_pretrained(folder)
    return fitted, folder


@pytest.fixture(scope="module")
def reward(
    tiny_engine: TransformersEngine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RewardModel, str]:
    fitted = ActivationRewardModel("The answer is good.", readout="sparse").fit(tiny_engine, PAIRS)
    folder = str(tmp_path_factory.mktemp("ray") / "reward")
    fitted.save_pretrained(folder)
    return fitted, folder


def test_a_classifier_adds_predictions_to_its_columns(
    classifier: tuple[SparseAttentionClassifier, str], tiny_engine: TransformersEngine
) -> None:
    fitted, folder = classifier
    udf = HeadwiseUDF(folder, text_column="body", engine=tiny_engine)
    batch = read_only(body=["cat 1", "mat 2", "dog"], source=["mail", "web", "x"], id=[4, 5, 6])
    found = udf(batch)
    assert list(found) == ["body", "source", "id", "prediction", "probability"]
    assert found["id"] is batch["id"]
    examples = [
        Example(body, fields={"source": source})
        for body, source in zip(batch["body"], batch["source"], strict=True)
    ]
    assert found["prediction"].tolist() == fitted.predict(examples)
    expected = fitted.predict_proba(examples).max(axis=1)
    np.testing.assert_allclose(found["probability"], expected, atol=1e-6)


def test_a_reward_model_adds_rewards(
    reward: tuple[RewardModel, str], tiny_engine: TransformersEngine
) -> None:
    fitted, folder = reward
    udf = HeadwiseUDF(folder, response_column="answer", engine=tiny_engine)
    batch = read_only(prompt=["question 1", "question 2"], answer=["good answer", "no"])
    expected = fitted.score(["question 1", "question 2"], ["good answer", "no"])
    np.testing.assert_allclose(udf(batch)["reward"], expected, atol=1e-5)


def test_prompts_may_be_chats(
    reward: tuple[RewardModel, str], tiny_engine: TransformersEngine
) -> None:
    fitted, folder = reward
    chat = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "question 1"}]
    # Ray keeps a column of lists as an array of arrays.
    batch = read_only(chat=[np.array(chat), chat], response=["good answer", "no"])
    udf = HeadwiseUDF(folder, prompt_column="chat", engine=tiny_engine)
    expected = fitted.score([chat, chat], ["good answer", "no"])
    np.testing.assert_allclose(udf(batch)["reward"], expected, atol=1e-5)


def test_an_empty_batch_stays_empty(
    classifier: tuple[SparseAttentionClassifier, str], tiny_engine: TransformersEngine
) -> None:
    found = HeadwiseUDF(classifier[1], engine=tiny_engine)(read_only(text=[], source=[]))
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(
        ("text", "source", "prediction", "probability"), 0
    )


def test_what_cannot_be_is_refused(
    classifier: tuple[SparseAttentionClassifier, str], tiny_engine: TransformersEngine
) -> None:
    udf = HeadwiseUDF(classifier[1], engine=tiny_engine)
    with pytest.raises(InputError, match=r"The batch has no column 'text'; it has body, source"):
        udf(read_only(body=["x"], source=["y"]))
    with pytest.raises(InputError, match="'prediction' already"):
        udf(read_only(text=["x"], source=["y"], prediction=["z"]))
    with pytest.raises(InputError, match="Row 1 of the batch"):
        udf(read_only(text=["x", " "], source=["y", "y"]))
