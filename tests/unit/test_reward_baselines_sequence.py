"""Sequence-classification reward models: what they read, and any batch as single runs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig
from transformers import LlamaForSequenceClassification as LlamaClassifier

from headwise.baselines.sequence_rewards import SequenceClassificationReward
from headwise.errors import EngineError, InputError
from headwise.examples import Preference
from headwise.methods.truncation import TruncationWarning
from seeing_engine import colored
from tiny_tokenizer import PAD_ID, VOCAB_SIZE, build_tokenizer

PROMPTS: list[Any] = [
    "Is it on the mat?",
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A cat or a dog?"}],
    "the cat sat on the mat and the dog sat on the cat, or did it?",
    "Hi",
]
RESPONSES = ["Yes.", "a dog", "the dog sat on the mat", "a good answer " * 4]
SIZES: dict[str, Any] = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}


def saved(folder: Path, model: Any, **tokenizer: Any) -> str:
    model.save_pretrained(folder)
    build_tokenizer(**tokenizer).save_pretrained(folder)
    return str(folder)


def llama(pad: int | None = PAD_ID, labels: int = 1) -> LlamaClassifier:
    torch.manual_seed(0)
    config = LlamaConfig(
        **SIZES, num_labels=labels, pad_token_id=pad, num_key_value_heads=2, initializer_range=0.3
    )
    return LlamaClassifier(config).float().eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("reward"), llama())


def test_a_reward_is_the_output_after_the_chat(folder: str) -> None:
    tokenizer, model = build_tokenizer(), LlamaClassifier.from_pretrained(folder)
    rewards = SequenceClassificationReward(folder).fit().score(PROMPTS, RESPONSES)
    for prompt, response, reward in zip(PROMPTS, RESPONSES, rewards, strict=True):
        turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        chat = [*turns, {"role": "assistant", "content": response}]
        ids = tokenizer.apply_chat_template(chat, return_tensors="pt", return_dict=False)
        assert reward == pytest.approx(float(model(ids).logits[0, 0].detach()), abs=1e-5)
    assert len(set(rewards.round(4))) == len(rewards)


@pytest.mark.parametrize("token_budget", [1, 100, 8_192])
def test_any_batch_gives_what_single_runs_give(folder: str, token_budget: int) -> None:
    fitted = SequenceClassificationReward(folder, token_budget=token_budget).fit()
    together = fitted.score(PROMPTS, RESPONSES)
    alone = [fitted.score([p], [r])[0] for p, r in zip(PROMPTS, RESPONSES, strict=True)]
    assert together == pytest.approx(alone, abs=1e-5)


def test_without_a_padding_token_rows_run_alone(folder: str, tmp_path: Path) -> None:
    # The same weights; the last token counts, whichever it is.
    unpadded = SequenceClassificationReward(saved(tmp_path, llama(pad=None))).fit()
    padded = SequenceClassificationReward(folder).fit()
    wanted = padded.score(PROMPTS, RESPONSES)
    assert unpadded.score(PROMPTS, RESPONSES) == pytest.approx(wanted, abs=1e-5)


def test_margins_are_differences_of_rewards(folder: str) -> None:
    fitted = SequenceClassificationReward(folder).fit()
    pairs = [Preference(p, r, "No") for p, r in zip(PROMPTS, RESPONSES, strict=True)]
    wanted = fitted.score(PROMPTS, RESPONSES) - fitted.score(PROMPTS, ["No"] * 4)
    assert fitted.margins(pairs) == pytest.approx(wanted, abs=1e-5)
    assert fitted.margins([]).shape == fitted.score([], []).shape == (0,)


def test_a_model_without_chat_template_reads_prompt_and_response_side_by_side(
    tmp_path: Path,
) -> None:
    torch.manual_seed(1)
    config = BertConfig(**SIZES, num_labels=1, pad_token_id=PAD_ID, initializer_range=0.3)
    source = saved(tmp_path, BertForSequenceClassification(config).eval(), kind="plain")
    fitted = SequenceClassificationReward(source).fit()
    found = fitted.score(PROMPTS[2:], RESPONSES[2:])
    alone = [fitted.score([p], [r])[0] for p, r in zip(PROMPTS[2:], RESPONSES[2:], strict=True)]
    assert found == pytest.approx(alone, abs=1e-5)
    ids = build_tokenizer("plain")(PROMPTS[2], RESPONSES[2], return_tensors="pt")
    model = BertForSequenceClassification.from_pretrained(source)
    assert found[0] == pytest.approx(float(model(**ids).logits[0, 0].detach()), abs=1e-5)


def test_long_conversations_are_cut_and_reported(folder: str) -> None:
    fitted = SequenceClassificationReward(folder, max_tokens=64).fit()
    long = "the cat sat on the mat " * 90
    with pytest.warns(TruncationWarning, match="1 conversations longer than 64 tokens"):
        found = fitted.score(["Hi", long], ["Yes", "Yes"])
    assert np.isfinite(found).all()
    with pytest.warns(TruncationWarning, match="longer than 256 tokens"):
        SequenceClassificationReward(folder).fit().score([long * 9], ["Yes"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.score(["Hi"], ["Yes"])


def test_fits_that_live_share_the_model(folder: str) -> None:
    first, second = (SequenceClassificationReward(folder).fit(preferences=[]) for _ in range(2))
    assert first.classifier is second.classifier


def test_it_reads_no_pictures(folder: str) -> None:
    with pytest.raises(InputError, match="texts only"):
        SequenceClassificationReward(folder).fit().score(["Hi"], ["Yes"], [[colored("red")]])


def test_what_is_no_reward_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="tells 3 classes apart"):
        SequenceClassificationReward(saved(tmp_path / "three", llama(labels=3))).fit()
    with pytest.raises(EngineError, match="Could not load"):
        SequenceClassificationReward(str(tmp_path / "nothing")).fit()
    pickled = tmp_path / "pickled"
    saved(pickled, llama())
    (pickled / "model.safetensors").unlink()
    torch.save(llama().state_dict(), pickled / "pytorch_model.bin")
    with pytest.raises(EngineError, match="safetensors"):
        SequenceClassificationReward(str(pickled)).fit()


@pytest.mark.parametrize("how", [{"token_budget": 0}, {"max_tokens": 0}, {"dtype": "int8"}])
def test_settings_that_mean_nothing_are_refused(how: Any) -> None:
    with pytest.raises(InputError):
        SequenceClassificationReward("x", **how)
    with pytest.raises(InputError):
        SequenceClassificationReward(" ")
