"""OpenRLHF's and verl's exact calls, by stand-ins for both."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import runpy
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from headwise import Rewards, load
from headwise.errors import HeadwiseError, InputError
from headwise.examples import Preference
from headwise.integrations import openrlhf, verl
from headwise.integrations.configured import RewardChoice, configured_reward
from headwise.integrations.gathered_calls import GatheredReward
from headwise.methods.activation_reward import ActivationRewardModel
from headwise.methods.reward_model import RewardModel
from seeing_engine import SeeingEngine, colored

QUESTION = "Is it on the mat?"
ANSWERS = ["yes it is", "no", "on the cat", "no dog"]


@pytest.fixture(scope="module")
def reward(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model: PreTrainedModel,
    tiny_tokenizer: PreTrainedTokenizerFast,
) -> RewardModel:
    path = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model.save_pretrained(path)
    tiny_tokenizer.save_pretrained(path)
    pairs = [Preference(f"Is {n} on the mat?", f"Yes, cat {n}", f"No dog {n}") for n in range(4)]
    method = ActivationRewardModel("The answer is good.", readout="sparse", n_heads=4)
    return method.fit(load(path), pairs)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory, reward: RewardModel) -> Path:
    path = tmp_path_factory.mktemp("artifacts") / "judge"
    reward.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def expected(reward: RewardModel) -> list[float]:
    chat = [{"role": "user", "content": QUESTION}]
    return list(reward.score([chat] * len(ANSWERS), ANSWERS))


def prompt_text(tokenizer: PreTrainedTokenizerFast) -> str:
    chat = [{"role": "user", "content": QUESTION}]
    return str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))


# --- OpenRLHF --------------------------------------------------------------------------------


def as_openrlhf_calls(path: str, queries: list[str], prompts: list[str]) -> list[Any]:
    """Loads the file and calls it from threads, one rollout each, as `SingleTurnAgentExecutor`."""
    spec = importlib.util.spec_from_file_location("reward_func", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    async def fetch() -> list[Any]:
        calls = [
            asyncio.to_thread(module.reward_func, [query], [prompt], [None])
            for query, prompt in zip(queries, prompts, strict=True)
        ]
        return await asyncio.gather(*calls)

    return asyncio.run(fetch())


def test_openrlhf_gets_rewards_from_the_file(
    artifact: Path,
    expected: list[float],
    tiny_tokenizer: PreTrainedTokenizerFast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADWISE_REWARD", str(artifact))
    prompt = prompt_text(tiny_tokenizer)
    queries = [f"{prompt}{answer}<|im_end|>" for answer in ANSWERS]
    found = as_openrlhf_calls(str(openrlhf.__file__), queries, [prompt] * 4)
    for info, value in zip(found, expected, strict=True):
        assert set(info) == {"rewards", "scores", "extra_logs"}
        # As `_process_response_into_experience` makes tensors of them.
        for name in ("rewards", "scores"):
            made = torch.tensor([info[name]])
            assert made.shape == (1,)
            assert made.dtype == torch.float32
            assert float(made) == pytest.approx(value, abs=1e-5)
        for logged in info["extra_logs"].values():
            assert torch.tensor([logged.flatten()[0].item()]).shape == (1,)
        assert "headwise_sparse_margin" in info["extra_logs"]


def test_openrlhf_files_of_your_own(artifact: Path, expected: list[float]) -> None:
    function = openrlhf.reward_function(str(artifact))
    assert list(inspect.signature(function).parameters) == ["queries", "prompts", "labels"]
    prompt = f"<s>[INST] {QUESTION} [/INST]"
    info = function([f"{prompt} {answer}</s>" for answer in ANSWERS], [prompt] * 4, ["x"] * 4)
    assert info["rewards"].tolist() == pytest.approx(expected, abs=1e-5)


def test_the_file_prints_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        # It is imported here already.
        warnings.simplefilter("ignore", RuntimeWarning)
        runpy.run_module("headwise.integrations.openrlhf", run_name="__main__")
    assert Path(capsys.readouterr().out.strip()) == Path(openrlhf.__file__)


def test_no_artifact_is_told(monkeypatch: pytest.MonkeyPatch, artifact: Path) -> None:
    monkeypatch.delenv("HEADWISE_REWARD", raising=False)
    with pytest.raises(InputError, match="HEADWISE_REWARD"):
        openrlhf.reward_func(["ab"], ["a"], [None])
    with pytest.raises(InputError, match="2 queries and 1 prompts"):
        openrlhf.reward_function(str(artifact))(["ab", "a"], ["a"], [])


# --- verl ------------------------------------------------------------------------------------


def test_verl_calls_the_function(artifact: Path, expected: list[float]) -> None:
    # As `get_custom_reward_fn` and `NaiveRewardManager` call it.
    def with_kwargs(function: Any, extra: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        return function(*args, **{**kwargs, **extra})

    compute_score = partial(with_kwargs, verl.compute_score, {"artifact": str(artifact)})
    chat = np.array([{"role": "user", "content": QUESTION}])
    for answer, value in zip(ANSWERS, expected, strict=True):
        for info in ({"prompt": chat}, {"question": [{"role": "user", "content": QUESTION}]}):
            result = compute_score(
                data_source="maths",
                solution_str=answer,
                ground_truth="4",
                extra_info={**info, "num_turns": None, "rollout_reward_scores": {}},
                reward_router_address="somewhere",
                reward_model_tokenizer=None,
            )
            assert result["score"] == pytest.approx(value, abs=1e-5)
            assert all(isinstance(one, float) for one in result.values())


def test_verl_without_a_prompt_is_told(artifact: Path) -> None:
    with pytest.raises(InputError, match="extra_info"):
        verl.compute_score("maths", "4", "4", {"index": 1}, artifact=str(artifact))


class DataProto:
    """A stand-in for verl's batch: slices are batches, numbers are items."""

    def __init__(self, batch: dict[str, torch.Tensor], fields: dict[str, np.ndarray]) -> None:
        self.batch, self.non_tensor_batch = batch, fields

    def __getitem__(self, at: Any) -> Any:
        batch = {name: value[at] for name, value in self.batch.items()}
        fields = {name: value[at] for name, value in self.non_tensor_batch.items()}
        if isinstance(at, slice):
            return DataProto(batch, fields)
        return SimpleNamespace(batch=batch, non_tensor_batch=fields)


def rollout(tokenizer: Any, messages: list[Any], answer: str, **fields: Any) -> DataProto:
    """One rollout as verl's agent loop hands it over, its response padded on the right."""
    prompt = torch.tensor([tokenizer.encode("prompt")])
    response = torch.tensor([[*tokenizer.encode(answer), 3, 0, 0]])
    mask = torch.ones(1, prompt.shape[1] + response.shape[1], dtype=torch.long)
    mask[:, -2:] = 0
    columns = {"raw_prompt": messages, "data_source": "maths", **fields}
    return DataProto(
        {"prompts": prompt, "responses": response, "attention_mask": mask},
        {name: np.array([value]) for name, value in columns.items()},
    )


def test_verl_loads_and_runs_the_manager(
    artifact: Path, expected: list[float], tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    kwargs = {"reward_kwargs": {"artifact": str(artifact), "other": 1}}
    manager = verl.HeadwiseRewardManager(
        config={"reward": {"custom_reward_function": kwargs}},
        tokenizer=tiny_tokenizer,
        compute_score=None,
        reward_router_address=None,
        reward_model_tokenizer=None,
    )
    chat = [{"role": "user", "content": QUESTION}]

    async def run() -> list[dict[str, Any]]:
        data = [rollout(tiny_tokenizer, chat, answer) for answer in ANSWERS]
        return await asyncio.gather(*(manager.run_single(one) for one in data))

    found = asyncio.run(run())
    assert [one["reward_score"] for one in found] == pytest.approx(expected, abs=1e-5)
    assert {"score", "sparse_margin", "truncated"} <= set(found[0]["reward_extra_info"])
    data = rollout(tiny_tokenizer, chat, "yes it is")
    placed = verl.HeadwiseRewardManager.assemble_rm_scores(data, [0.5])
    n_tokens = len(tiny_tokenizer.encode("yes it is")) + 1
    assert placed[0, n_tokens - 1] == 0.5
    assert placed.count_nonzero() == 1


@pytest.mark.parametrize("where", ["messages", "beside"])
def test_the_manager_sees_pictures(
    where: str, tiny_tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine: Any = SeeingEngine()
    pairs = [
        Preference("Color?", right, wrong, images=(colored(right, n),))
        for n in range(4)
        for right, wrong in (("red", "blue"), ("blue", "red"))
    ]
    method = ActivationRewardModel("The color is right.", readout="sparse", n_heads=2)
    gathered = GatheredReward(method.fit(engine, pairs))
    monkeypatch.setattr(verl, "configured_reward", lambda choice: gathered)
    monkeypatch.setenv("HEADWISE_REWARD", "anything")
    manager = verl.HeadwiseRewardManager({}, tiny_tokenizer)
    red = colored("red", 9).load()
    block = {"type": "image", "image": red} if where == "messages" else {"type": "image"}
    chat = [{"role": "user", "content": [block, {"type": "text", "text": "Color?"}]}]
    beside = {"multi_modal_data": {"images": [red]}}
    before = len(engine.shown)
    scores = [
        asyncio.run(manager.run_single(rollout(tiny_tokenizer, chat, answer, **beside)))
        for answer in ("red", "blue")
    ]
    assert scores[0]["reward_score"] > scores[1]["reward_score"]
    assert [len(conversation.images) for conversation in engine.shown[before:]] == [1, 1]


def test_a_manager_without_a_prompt_is_told(
    artifact: Path, tiny_tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWISE_REWARD", str(artifact))
    manager = verl.HeadwiseRewardManager({}, tiny_tokenizer)
    data = rollout(tiny_tokenizer, [], "yes")
    del data.non_tensor_batch["raw_prompt"]
    with pytest.raises(InputError, match="raw_prompt"):
        asyncio.run(manager.run_single(data))


# --- Both ------------------------------------------------------------------------------------


def test_a_reward_is_loaded_once_a_process(artifact: Path) -> None:
    choice = RewardChoice(str(artifact))
    assert configured_reward(choice) is configured_reward(RewardChoice(str(artifact)))


def test_rewards_of_several_criteria_are_loaded(
    tmp_path: Path, reward: RewardModel, expected: list[float]
) -> None:
    Rewards({"good": reward, "kind": reward}, {"kind": -0.5}).save_pretrained(tmp_path / "both")
    function = openrlhf.reward_function(str(tmp_path / "both"))
    info = function([f"{QUESTION} {answer}" for answer in ANSWERS], [QUESTION] * 4, [None] * 4)
    logs = info["extra_logs"]
    assert info["rewards"].tolist() == pytest.approx(
        (0.5 * logs["headwise_good"]).tolist(), abs=1e-4
    )


def test_single_responses_need_the_scalar_form(reward: RewardModel) -> None:
    ranked = ActivationRewardModel("It is good.", form="ranked", readout="sparse").fit(
        reward.engine, [Preference("Q", "yes", "no"), Preference("Q", "cat", "dog")]
    )
    with pytest.raises(InputError, match="scalar"):
        GatheredReward(ranked)


def test_a_bad_row_costs_no_other(reward: RewardModel, expected: list[float]) -> None:
    gathered = GatheredReward(reward)
    bad: Any = [{"role": "user", "content": 3}]
    good = [{"role": "user", "content": QUESTION}]

    def score(prompt: Any) -> Any:
        try:
            return gathered.score_one(prompt, ANSWERS[0]).reward
        except HeadwiseError as error:
            return error

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(score, [good, bad] * 8))
    assert found[0::2] == pytest.approx([expected[0]] * 8, abs=1e-5)
    assert all(isinstance(one, InputError) for one in found[1::2])
