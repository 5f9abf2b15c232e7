"""A reward as TRL calls it: every form of prompt, one call a batch, nothing lost in silence."""

from __future__ import annotations

import pickle
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from headwise import Rewards, load
from headwise.engines.base import Engine
from headwise.errors import ArtifactError, HeadwiseError, InputError
from headwise.examples import Preference
from headwise.integrations.trl import RewardFunction
from headwise.methods.activation_reward import ActivationRewardModel
from headwise.methods.reward_model import RewardModel
from headwise.methods.reward_readouts import ReadoutWeights
from headwise.methods.truncation import TruncationWarning
from headwise.selection.reinforce import Reinforce
from seeing_engine import SeeingEngine, colored

QUICK = Reinforce(epochs=3, masks_per_epoch=4, final_masks=3)
QUESTIONS = ["Is it on the mat?", "Where is the dog?"]
PROMPTS = [question for question in QUESTIONS for _ in range(2)]
ANSWERS = ["yes it is", "no", "on the cat", "no dog"]


def fit(engine: Engine, readout: Any = "sparse", **how: Any) -> RewardModel:
    pairs = [Preference(f"Is {n} on the mat?", f"Yes, cat {n}", f"No dog {n}") for n in range(4)]
    method = ActivationRewardModel("The answer is good.", readout=readout, selector=QUICK, **how)
    return method.fit(engine, pairs)


@pytest.fixture(scope="module")
def reward(tiny_engine: Engine) -> RewardModel:
    return fit(tiny_engine)


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model: PreTrainedModel,
    tiny_tokenizer: PreTrainedTokenizerFast,
) -> Path:
    """The tiny Llama as a folder that any process can load."""
    path = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model.save_pretrained(path)
    tiny_tokenizer.save_pretrained(path)
    return path


class Trainer:
    """Calls a reward function exactly as TRL's `_calculate_rewards` does."""

    def __init__(self) -> None:
        self.metrics: dict[str, list[float]] = defaultdict(list)
        self.columns: dict[str, list[object]] = defaultdict(list)

    def log_metric(self, name: str, value: float) -> None:
        self.metrics[name].append(value)

    def log_extra(self, column: str, values: list[object]) -> None:
        self.columns[column].extend(values)

    def __call__(
        self, function: Any, prompts: list[Any], completions: list[Any], **columns: Any
    ) -> list[float]:
        assert not isinstance(function, nn.Module)
        found = function(
            prompts=prompts,
            completions=completions,
            completion_ids=[[1, 2]] * len(prompts),
            trainer_state=SimpleNamespace(global_step=0),
            log_extra=self.log_extra,
            log_metric=self.log_metric,
            **columns,
        )
        assert isinstance(found, list)
        assert all(isinstance(one, float) for one in found)
        return list(found)


def chats(texts: list[str], role: str = "user") -> list[list[dict[str, Any]]]:
    return [[{"role": role, "content": text}] for text in texts]


def test_plain_and_conversational_prompts_give_the_models_rewards(reward: RewardModel) -> None:
    expected = reward.score(PROMPTS, ANSWERS)
    function = reward.as_trl()
    plain = Trainer()(function, PROMPTS, ANSWERS, answer=["a"] * 4)
    chat = Trainer()(function, chats(PROMPTS), chats(ANSWERS, "assistant"), answer=["a"] * 4)
    np.testing.assert_allclose(plain, expected, atol=1e-5)
    np.testing.assert_allclose(chat, expected, atol=1e-5)


def test_the_artifact_itself_is_a_reward_function(reward: RewardModel) -> None:
    assert Trainer()(reward, PROMPTS, ANSWERS) == Trainer()(reward.as_trl(), PROMPTS, ANSWERS)
    assert reward.__name__ == "the_answer_is_good"
    assert reward.as_trl().__name__ == "the_answer_is_good"
    assert reward.as_trl(name="quality").__name__ == "quality"
    with pytest.raises(InputError, match="name"):
        reward.as_trl(name=" ")


def test_a_batch_is_one_call_of_the_model(
    reward: RewardModel, tiny_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    capture = type(tiny_engine).capture

    def counted(self: Any, conversations: Any, *args: Any, **how: Any) -> Any:
        calls.append(len(conversations))
        return capture(self, conversations, *args, **how)

    monkeypatch.setattr(type(tiny_engine), "capture", counted)
    Trainer()(reward.as_trl(), PROMPTS * 2, ANSWERS * 2)
    # Equal completions are read once.
    assert calls == [4]


def test_metrics_show_margins_and_cuts(tiny_engine: Engine) -> None:
    steered = fit(tiny_engine, "steered", max_text_tokens=16)
    trainer = Trainer()
    long = "the cat sat on the mat " * 20
    trainer(steered.as_trl(name="good"), PROMPTS, [*ANSWERS[:3], long])
    assert trainer.metrics["good/truncated"] == [0.25]
    margins = trainer.columns["good/steered_margin"]
    assert len(margins) == 4
    assert trainer.metrics["good/steered_margin"] == pytest.approx([np.mean(margins)])
    with pytest.warns(TruncationWarning):
        steered.as_trl()(prompts=PROMPTS[:1], completions=[long])


def test_criteria_are_logged_apart(reward: RewardModel) -> None:
    both = Rewards({"good": reward, "short": reward}, weights={"short": 0.5})
    trainer = Trainer()
    found = trainer(both.as_trl(), PROMPTS, ANSWERS)
    np.testing.assert_allclose(found, 1.5 * reward.score(PROMPTS, ANSWERS), atol=1e-5)
    assert trainer.columns["rewards/good"] == pytest.approx(trainer.columns["rewards/short"])
    assert {"rewards/good", "rewards/short", "rewards/good/sparse_margin"} <= set(trainer.metrics)
    assert trainer(both, PROMPTS, ANSWERS) == found
    assert both.__name__ == "rewards"


def test_turns_of_tools_are_shown(reward: RewardModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    score_each = type(reward).score_each

    def watched(self: Any, prompts: Any, responses: Any, *args: Any, **how: Any) -> Any:
        seen.append((prompts, responses))
        return score_each(self, prompts, responses, *args, **how)

    monkeypatch.setattr(type(reward), "score_each", watched)
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    completion = [
        {"role": "assistant", "content": "Let me see.", "tool_calls": [call]},
        {"role": "tool", "name": "add", "content": "3"},
        {"role": "assistant", "content": "It is 3."},
    ]
    prompt = [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": "1 + 2?"}]
    Trainer()(reward.as_trl(), [prompt], [completion])
    [(prompts, [response])] = seen
    assert [turn.role for turn in prompts[0]] == ["system", "user"]
    assert response.startswith("Let me see.")
    assert 'Call of the tool add: {"a": 1}' in response
    assert "Result of the tool: \n3" in response
    assert response.endswith("\n\nAssistant: It is 3.")


def test_a_batch_of_nothing_is_nothing(reward: RewardModel) -> None:
    assert reward.as_trl()(prompts=[], completions=[]) == []


@pytest.mark.parametrize(
    ("prompts", "completions", "match"),
    [
        (["a"], ["b", "c"], "1 prompts and 2 completions"),
        (["a", None], ["b", "c"], "Row 1"),
        (["a", "b"], ["b", [{"role": "nobody", "content": "x"}]], "Row 1"),
        (["a", "b"], ["b", []], "Row 1"),
    ],
)
def test_malformed_rows_are_named(
    reward: RewardModel, prompts: Any, completions: Any, match: str
) -> None:
    with pytest.raises(InputError, match=match):
        reward.as_trl()(prompts=prompts, completions=completions)


def test_nan_is_never_returned(reward: RewardModel) -> None:
    broken = replace(reward, weights=ReadoutWeights(sparse=float("nan"), steered=0.0))
    with pytest.raises(HeadwiseError, match="NaN or infinite for 4 of 4 rows"):
        Trainer()(broken.as_trl(), PROMPTS, ANSWERS)


# --- Pictures --------------------------------------------------------------------------------


def seeing_reward(engine: Any) -> RewardModel:
    pairs = [
        Preference("Color?", right, wrong, images=(colored(right, n),))
        for n in range(4)
        for right, wrong in (("red", "blue"), ("blue", "red"))
    ]
    method = ActivationRewardModel("The color is right.", readout="sparse", n_heads=2)
    return method.fit(engine, pairs)


def test_pictures_in_messages_are_seen_once_whatever_the_column_holds() -> None:
    engine: Any = SeeingEngine()
    reward = seeing_reward(engine)
    before = len(engine.shown)
    red = colored("red", 9)
    prompt = [
        {
            "role": "user",
            "content": [
                {"type": "image", "image": red.load()},
                {"type": "text", "text": "Color?"},
            ],
        }
    ]
    answers = chats(["red", "blue"], "assistant")
    beside = {"images": [[red.load()]] * 2}
    found = Trainer()(reward.as_trl(), [prompt] * 2, answers, **beside)
    assert found[0] > found[1]
    shown = engine.shown[before:]
    assert [len(conversation.images) for conversation in shown] == [1, 1]
    assert Trainer()(reward.as_trl(), [prompt] * 2, answers) == found


@pytest.mark.parametrize("column", ["image", "images"])
def test_pictures_beside_prompts_without_any_are_shown(column: str) -> None:
    engine: Any = SeeingEngine()
    reward = seeing_reward(engine)
    before = len(engine.shown)
    picture = colored("red", 9).load()
    value = picture if column == "image" else [picture]
    Trainer()(reward.as_trl(), ["Color?", "What?"], ["red", "blue"], **{column: [value, None]})
    assert [len(conversation.images) for conversation in engine.shown[before:]] == [1, 0]


def test_names_of_files_in_a_column_are_no_pictures(reward: RewardModel) -> None:
    plain = Trainer()(reward.as_trl(), PROMPTS, ANSWERS)
    assert Trainer()(reward.as_trl(), PROMPTS, ANSWERS, image=["cat.png"] * 4) == plain


# --- Other processes -------------------------------------------------------------------------


def test_it_is_pickled_as_what_it_learnt(folder: Path) -> None:
    reward = fit(load(folder))
    function = reward.as_trl(name="good")
    content = pickle.dumps(function)
    # The model itself is not in it.
    assert len(content) < 100_000
    again = pickle.loads(content)  # noqa: S301 - our own
    assert isinstance(again, RewardFunction)
    assert again.__name__ == "good"
    assert Trainer()(again, PROMPTS, ANSWERS) == pytest.approx(
        Trainer()(function, PROMPTS, ANSWERS), abs=1e-5
    )
    # What was never used is passed on as it came.
    assert pickle.loads(pickle.dumps(pickle.loads(content))).name == "good"  # noqa: S301


def test_several_criteria_are_pickled(folder: Path) -> None:
    reward = fit(load(folder))
    both = Rewards({"good": reward, "short": reward}, weights={"short": 0.5})
    again = pickle.loads(pickle.dumps(both.as_trl()))  # noqa: S301 - our own
    assert Trainer()(again, PROMPTS, ANSWERS) == pytest.approx(
        Trainer()(both, PROMPTS, ANSWERS), abs=1e-5
    )


def test_what_no_process_could_load_is_not_pickled(reward: RewardModel) -> None:
    with pytest.raises(HeadwiseError, match=r"'tiny-llama'.*headwise\.load"):
        pickle.dumps(reward.as_trl())
    with pytest.raises(HeadwiseError, match="SeeingEngine"):
        pickle.dumps(seeing_reward(SeeingEngine()).as_trl())


def test_a_model_that_is_gone_is_told(folder: Path, tmp_path: Path) -> None:
    again = pickle.loads(pickle.dumps(fit(load(folder)).as_trl()))  # noqa: S301 - our own
    documents = {
        name: text.replace(str(folder), str(tmp_path / "gone"))
        for name, text in again.portable.documents.items()
    }
    again.portable = replace(again.portable, documents=documents)
    with pytest.raises(ArtifactError, match="could not be loaded in this process"):
        again(prompts=["a"], completions=["b"])
