"""TRL's own trainers take a reward as it is: a step of GRPO and of RLOO on a tiny model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from headwise import Rewards
from headwise.engines.base import Engine
from headwise.examples import Preference
from headwise.integrations.transformers import TransformersSampler
from headwise.methods.activation_reward import ActivationRewardModel
from headwise.methods.best_of_n import best_of_n
from headwise.methods.reward_model import RewardModel
from tiny_models import family

trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")

QUESTIONS = ["Is it on the mat?", "Where is the dog?"]


@pytest.fixture(scope="module")
def reward(tiny_engine: Engine) -> RewardModel:
    pairs = [Preference(f"Is {n} on the mat?", f"Yes, cat {n}", f"No dog {n}") for n in range(4)]
    method = ActivationRewardModel("The answer is good.", readout="sparse", n_heads=4)
    return method.fit(tiny_engine, pairs)


def train(
    name: str, reward: Any, tokenizer: PreTrainedTokenizerFast, folder: Path, *, chat: bool
) -> list[dict[str, float]]:
    """One step; what the trainer logged."""
    prompts: list[Any] = list(QUESTIONS)
    if chat:
        prompts = [[{"role": "user", "content": question}] for question in QUESTIONS]
    settings = getattr(trl, f"{name}Config")(
        output_dir=str(folder),
        per_device_train_batch_size=4,
        num_generations=2,
        max_completion_length=4,
        max_steps=1,
        logging_steps=1,
        learning_rate=1e-3,
        beta=0.0,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = getattr(trl, f"{name}Trainer")(
        model=family("llama").build(),
        reward_funcs=reward,
        args=settings,
        train_dataset=datasets.Dataset.from_dict({"prompt": prompts, "answer": ["a", "b"]}),
        processing_class=tokenizer,
    )
    trainer.train()
    return list(trainer.state.log_history)


@pytest.mark.parametrize(("name", "chat"), [("GRPO", True), ("GRPO", False), ("RLOO", True)])
def test_a_step_of_training(
    name: str,
    chat: bool,
    reward: RewardModel,
    tiny_tokenizer: PreTrainedTokenizerFast,
    tmp_path: Path,
) -> None:
    logged = train(name, reward.as_trl(name="good"), tiny_tokenizer, tmp_path, chat=chat)[0]
    assert math.isfinite(logged["rewards/good/mean"])
    # One readout with nothing but a scale: the reward is its margin, shifted and stretched.
    assert math.isfinite(logged["good/sparse_margin"])
    assert logged["good/truncated"] == 0.0


def test_the_artifact_and_several_criteria_train_too(
    reward: RewardModel, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    both = Rewards({"good": reward, "short": reward})
    logged = train("GRPO", [reward, both], tiny_tokenizer, tmp_path, chat=True)[0]
    assert math.isfinite(logged[f"rewards/{reward.__name__}/mean"])
    assert logged["rewards/rewards/mean"] == pytest.approx(
        2 * logged[f"rewards/{reward.__name__}/mean"], abs=1e-4
    )
    assert logged["rewards/good"] == pytest.approx(logged["rewards/short"])


def test_best_of_n_of_a_transformers_model(
    reward: RewardModel, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    model = family("llama").build().train()
    sample = TransformersSampler(model, tiny_tokenizer, max_new_tokens=4, seed=3, batch_size=3)
    prompts: list[Any] = [QUESTIONS[0], [{"role": "user", "content": QUESTIONS[1]}]]
    found = best_of_n(reward, prompts, sample, 4)
    assert [one.prompt for one in found] == prompts
    for one in found:
        assert len(one.responses) == 4
        assert len(set(one.responses)) > 1
        assert one.reward == max(one.rewards)
        scores = reward.score([one.prompt] * 4, one.responses)
        assert one.best == one.responses[int(scores.argmax())]
    assert model.training
    again = best_of_n(reward, prompts, sample, 4)
    assert [one.responses for one in again] == [one.responses for one in found]


def test_a_padded_batch_samples_what_single_prompts_do(
    tiny_tokenizer: PreTrainedTokenizerFast,
) -> None:
    model = family("llama").build()
    sample = TransformersSampler(model, tiny_tokenizer, max_new_tokens=4, temperature=0)
    prompts = [QUESTIONS[0], f"{QUESTIONS[1]} the cat sat on the mat"]
    assert sample(prompts) == [sample([one])[0] for one in prompts]
