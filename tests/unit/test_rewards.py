"""Several criteria on one engine: each as alone, from fewer tokens, saved and loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from headwise import Rewards, from_pretrained
from headwise.engines.base import Engine
from headwise.engines.transformers import TransformersEngine
from headwise.errors import ArtifactError, InputError
from headwise.examples import Preference
from headwise.methods.activation_reward import ActivationRewardModel
from headwise.methods.contracts import Rewarder
from headwise.methods.reward_model import RewardModel
from headwise.methods.rewards_folder import REWARDS_FILE
from headwise.methods.truncation import TruncationWarning
from headwise.selection.reinforce import Reinforce

QUICK = Reinforce(epochs=3, masks_per_epoch=4, final_masks=3)
LONG = "the cat sat on the mat and the dog sat on the cat " * 6
PROMPTS = ["Is it on the mat?", "Is it on the mat?", "Where is the dog?"]
RESPONSES = [f"{LONG} yes", f"{LONG} no", f"no {LONG}"]


def pairs(n: int) -> list[Preference]:
    return [
        Preference(f"Is {number} on the mat?", f"Yes, the cat {number}", f"No dog {number}")
        for number in range(n)
    ]


def fit(engine: Engine, criterion: str, **how: object) -> RewardModel:
    settings: dict[str, object] = {"selector": QUICK, "readout": "sparse", "n_heads": 4, **how}
    return ActivationRewardModel(criterion, **settings).fit(engine, pairs(4))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def correct(tiny_engine: Engine) -> RewardModel:
    return fit(tiny_engine, "The answer is correct.")


@pytest.fixture(scope="module")
def concise(tiny_engine: Engine) -> RewardModel:
    return fit(tiny_engine, "The answer is short.", n_heads=2)


@pytest.fixture(scope="module")
def steered(tiny_engine: Engine) -> RewardModel:
    return fit(tiny_engine, "The answer is kind.", readout="steered")


@pytest.fixture(scope="module")
def ranked(tiny_engine: Engine) -> RewardModel:
    return fit(tiny_engine, "The answer is polite.", form="ranked")


@pytest.fixture
def rewards(correct: RewardModel, concise: RewardModel, steered: RewardModel) -> Rewards:
    return Rewards(
        {"correct": correct, "concise": concise, "kind": steered},
        weights={"concise": 0.5, "kind": -2},
    )


@contextmanager
def counting_tokens(model: nn.Module) -> Iterator[list[int]]:
    """Counts the tokens that are run through the model."""
    counts: list[int] = []
    embedding = model.get_input_embeddings()  # type: ignore[operator]
    handle = embedding.register_forward_pre_hook(lambda _, given: counts.append(given[0].numel()))
    try:
        yield counts
    finally:
        handle.remove()


def test_each_criterion_gives_what_it_gives_alone(rewards: Rewards) -> None:
    found = rewards.score_each(PROMPTS, RESPONSES)
    assert list(found.criteria) == ["correct", "concise", "kind"]
    for name, model in rewards.criteria.items():
        np.testing.assert_allclose(found[name].rewards, model.score(PROMPTS, RESPONSES), atol=1e-5)


def test_the_reward_is_the_weighted_sum(rewards: Rewards) -> None:
    found = rewards.score_each(PROMPTS, RESPONSES)
    total = found["correct"].rewards + 0.5 * found["concise"].rewards - 2 * found["kind"].rewards
    np.testing.assert_allclose(found.rewards, total)
    np.testing.assert_allclose(rewards.score(PROMPTS, RESPONSES), total, atol=1e-5)


def test_margins_are_differences_of_rewards(rewards: Rewards) -> None:
    margins = rewards.margins(pairs(3))
    prompts = [pair.prompt for pair in pairs(3)]
    better = rewards.score(prompts, [pair.chosen for pair in pairs(3)])
    worse = rewards.score(prompts, [pair.rejected for pair in pairs(3)])
    np.testing.assert_allclose(margins, better - worse, atol=1e-5)


def test_margins_of_criteria_add_up(correct: RewardModel, ranked: RewardModel) -> None:
    both = Rewards({"correct": correct, "better": ranked}, {"better": -2.0})
    apart = both.margins_each(pairs(3))
    np.testing.assert_allclose(apart["better"], ranked.margins(pairs(3)), atol=1e-5)
    np.testing.assert_allclose(
        both.margins(pairs(3)), apart["correct"] - 2 * apart["better"], atol=1e-9
    )
    orders = both.ordered_margins(pairs(3))
    np.testing.assert_allclose(orders.sum(axis=1), both.margins(pairs(3)), atol=1e-5)
    difference = ranked.ordered_margins(pairs(3)) @ [1.0, -1.0]
    np.testing.assert_allclose(orders @ [1.0, -1.0], -2 * difference, atol=1e-5)
    with pytest.raises(InputError, match="ranked"):
        Rewards({"correct": correct}).ordered_margins(pairs(3))


def test_forms_may_be_mixed(correct: RewardModel, ranked: RewardModel) -> None:
    both = Rewards({"correct": correct, "polite": ranked})
    prompts, responses = PROMPTS[:2], RESPONSES[:2]
    expected = correct.score(prompts, responses) + ranked.score(prompts, responses)
    np.testing.assert_allclose(both.score(prompts, responses), expected, atol=1e-5)
    alone = correct.margins(pairs(2)) + ranked.margins(pairs(2))
    np.testing.assert_allclose(both.margins(pairs(2)), alone, atol=1e-5)


def test_criteria_share_the_reading_of_a_response(
    tiny_model: PreTrainedModel, correct: RewardModel, concise: RewardModel
) -> None:
    check_read_once(tiny_model, correct, concise)


def test_steered_criteria_share_a_prefill(
    tiny_model: PreTrainedModel, tiny_engine: Engine, steered: RewardModel
) -> None:
    other = fit(tiny_engine, "The answer is honest.", readout="steered")
    check_read_once(tiny_model, steered, other)


def check_read_once(model: PreTrainedModel, first: RewardModel, second: RewardModel) -> None:
    """Together, two criteria give what they give apart, and read a long response once."""
    both = Rewards({"first": first, "second": second})
    prompts, responses = PROMPTS[:1], [LONG * 4]
    with counting_tokens(model) as apart:
        expected = first.score(prompts, responses) + second.score(prompts, responses)
    with counting_tokens(model) as together:
        found = both.score(prompts, responses)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # Nearly all of a conversation is the response, which is read once instead of twice.
    assert sum(together) < 0.8 * sum(apart)


def test_equal_responses_are_read_once(tiny_model: PreTrainedModel, correct: RewardModel) -> None:
    with counting_tokens(tiny_model) as once:
        alone = correct.score(PROMPTS[:1], ["yes"])
    with counting_tokens(tiny_model) as often:
        several = correct.score(PROMPTS[:1] * 5, ["yes"] * 5)
    assert several.tolist() == alone.tolist() * 5
    assert sum(often) == sum(once)


def test_it_is_a_rewarder(rewards: Rewards) -> None:
    rewarder: Rewarder = rewards
    assert len(rewarder.score(PROMPTS, RESPONSES)) == 3
    assert rewarder.score([], []).shape == (0,)


def test_what_was_cut_is_told(correct: RewardModel, tiny_engine: Engine) -> None:
    short = fit(tiny_engine, "The answer is short.", max_text_tokens=16)
    both = Rewards({"correct": correct, "short": short})
    with pytest.warns(TruncationWarning, match="'short'"):
        found = both.score_each(["Is it?", "Is it?"], ["yes", LONG])
    assert found["correct"].truncated.tolist() == [False, False]
    assert found.truncated.tolist() == [False, True]


def test_a_folder_of_folders_comes_back(tmp_path: Path, rewards: Rewards) -> None:
    folder = tmp_path / "both"
    rewards.save_pretrained(folder)
    assert {path.name for path in folder.iterdir()} == {"correct", "concise", "kind", REWARDS_FILE}
    again = Rewards.from_pretrained(folder, engine=rewards.engine)
    assert dict(again.weights) == dict(rewards.weights)
    found = from_pretrained(folder, engine=rewards.engine)
    assert isinstance(found, Rewards)
    for one in (again, found):
        np.testing.assert_array_equal(
            one.score(PROMPTS, RESPONSES), rewards.score(PROMPTS, RESPONSES)
        )
    with pytest.raises(InputError, match="local folder"):
        from_pretrained(folder, engine=rewards.engine, revision="main")
    Rewards({"correct": rewards.criteria["correct"]}).save_pretrained(folder)
    assert {path.name for path in folder.iterdir()} == {"correct", REWARDS_FILE}
    assert [path.name for path in tmp_path.iterdir()] == ["both"]


def test_a_folder_of_anything_else_is_left(tmp_path: Path, rewards: Rewards) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="not empty"):
        rewards.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("document", "match"),
    [
        ("{", "cannot be read"),
        ('{"format_version": 2, "criteria": []}', "newer headwise"),
        ('{"format_version": 1, "criteria": []}', "no criterion"),
        ('{"format_version": 1, "criteria": [{"name": "../up", "weight": 1}]}', "no name"),
        ('{"format_version": 1, "criteria": [{"name": "a", "weight": "x"}]}', "no such folder"),
    ],
)
def test_a_damaged_folder_is_refused(
    tmp_path: Path, tiny_engine: Engine, document: str, match: str
) -> None:
    (tmp_path / REWARDS_FILE).write_text(document)
    with pytest.raises(ArtifactError, match=match):
        Rewards.from_pretrained(tmp_path, engine=tiny_engine)


def test_a_folder_without_rewards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=REWARDS_FILE):
        Rewards.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("name", "weights", "match"),
    [
        ("a b", {}, "no name"),
        ("../up", {}, "no name"),
        ("correct", {"concise": 1.0}, "no criterion"),
        ("correct", {"correct": float("nan")}, "finite"),
        ("correct", {"correct": "much"}, "number"),
    ],
)
def test_bad_settings_are_refused(
    correct: RewardModel, name: str, weights: dict[str, float], match: str
) -> None:
    with pytest.raises(InputError, match=match):
        Rewards({name: correct}, weights=weights)


def test_no_criterion_is_refused() -> None:
    with pytest.raises(InputError, match="one criterion"):
        Rewards({})
    with pytest.raises(InputError, match="RewardModel"):
        Rewards({"good": json})  # type: ignore[dict-item]


def test_different_engines_are_refused(
    correct: RewardModel, tiny_model: PreTrainedModel, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    other = TransformersEngine(tiny_model, tiny_tokenizer, model_id="tiny-llama")
    with pytest.raises(InputError, match="different engines"):
        Rewards({"correct": correct, "concise": fit(other, "The answer is short.")})


def test_an_unknown_criterion_is_told(rewards: Rewards) -> None:
    found = rewards.score_each(PROMPTS, RESPONSES)
    with pytest.raises(InputError, match="correct, concise, kind"):
        _ = found["funny"]
