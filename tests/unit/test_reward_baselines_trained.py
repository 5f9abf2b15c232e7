"""Probes, LoRA, and methods by name: what is learnt of a few pairs holds for others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from judging_engine import JudgingEngine
from numpy.typing import NDArray

from headwise.baselines.linear_reward import fit_linear_reward
from headwise.baselines.lora_reward import LoraRewardModel
from headwise.baselines.lora_training import LoraTraining
from headwise.baselines.named_rewards import NAMED_REWARDS, named_reward
from headwise.baselines.reward_probe import RewardProbe
from headwise.baselines.token_probability import TokenProbability
from headwise.engines.transformers import TransformersEngine
from headwise.errors import EngineError, InputError
from headwise.examples import Judgement, Preference
from headwise.methods.reward_support import JudgedSupport
from headwise.prompts.conversation import Conversation
from seeing_engine import SeeingEngine, colored
from tiny_models import family
from tiny_tokenizer import build_tokenizer

CRITERION = "The answer is good."
QUICK = LoraTraining(learning_rate=5e-3, epochs=5, epochs_without_validation=8, batch_size=4)


def pairs(numbers: Sequence[int]) -> list[Preference]:
    return [Preference(f"Is {n} on the mat?", f"Yes, the cat {n}", f"No dog {n}") for n in numbers]


def judgements(found: Sequence[Preference]) -> list[Judgement]:
    return [one for pair in found for one in pair.judgements()]


# --- The linear reward -------------------------------------------------------------------------


def support_of(labels: Sequence[int], groups: Sequence[int]) -> JudgedSupport:
    conversation = Conversation.user("?")
    return JudgedSupport((conversation,) * len(labels), torch.tensor(labels), tuple(groups))


def planted(n_pairs: int, width: int, seed: int = 0) -> tuple[NDArray[np.float64], JudgedSupport]:
    """Rows of pairs in which good ones are higher along the first feature, within their pair."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(2 * n_pairs, width))
    # The level of a pair says nothing; only the difference within it does.
    features[:, 0] = np.repeat(5 * random.normal(size=n_pairs), 2)
    features[0::2, 0] += 2.0
    return features, support_of([0, 1] * n_pairs, np.repeat(range(n_pairs), 2).tolist())


def test_the_direction_in_which_pairs_differ_is_found() -> None:
    features, support = planted(40, 6)
    reward = fit_linear_reward(features, support, seed=0)
    unseen, _ = planted(100, 6, seed=1)
    values = reward.values(unseen)
    assert float(np.mean(values[0::2] > values[1::2])) > 0.95
    assert reward.held_out_loss is not None
    assert reward.held_out_loss < np.log(2)
    # Pairs say nothing of where good begins.
    assert reward.intercept == 0


def test_the_fit_is_that_of_scikit_learn_on_all_features() -> None:
    from sklearn.linear_model import LogisticRegression

    features, support = planted(12, 50)
    reward = fit_linear_reward(features, support, seed=0)
    scaled = (features - features.mean(0)) / features.std(0) / np.sqrt(50)
    differences = scaled[0::2] - scaled[1::2]
    direct = LogisticRegression(C=reward.strength, fit_intercept=False, tol=1e-8, max_iter=9_999)
    direct.fit(np.concatenate([differences, -differences]), [1] * 12 + [0] * 12)
    wanted = scaled @ direct.coef_[0]
    assert reward.values(features) == pytest.approx(wanted, rel=1e-2, abs=1e-3)


def test_single_judgements_say_where_good_begins() -> None:
    random = np.random.default_rng(0)
    labels = [0] * 10 + [1] * 30
    features = random.normal(size=(40, 3))
    features[:, 1] += np.where(np.array(labels) == 0, 4.0, -1.0)
    reward = fit_linear_reward(features, support_of(labels, range(40)), seed=0)
    values = reward.values(features)
    assert ((values > 0) == (np.array(labels) == 0)).mean() > 0.95
    assert reward.intercept != 0


def test_pairs_and_single_judgements_are_fitted_together() -> None:
    features, support = planted(10, 4)
    random = np.random.default_rng(2)
    single = random.normal(size=(20, 4))
    good = single[:, 2] > 0
    both = support_of(
        [*support.labels.tolist(), *(~good).astype(int).tolist()], [*support.groups, *range(10, 30)]
    )
    reward = fit_linear_reward(np.concatenate([features, single]), both, seed=0)
    values = reward.values(features)
    assert (values[0::2] > values[1::2]).mean() >= 0.8
    assert np.corrcoef(reward.values(single), single[:, 2])[0, 1] > 0.3


def test_one_pair_is_enough_and_equal_ones_are_refused() -> None:
    features, support = planted(1, 4)
    reward = fit_linear_reward(features, support, seed=0)
    values = reward.values(features)
    assert values[0] > values[1]
    assert reward.held_out_loss is None
    with pytest.raises(InputError, match="look the same"):
        fit_linear_reward(np.ones((2, 4)), support, seed=0)


# --- The probe ---------------------------------------------------------------------------------


@pytest.mark.parametrize("features", ["heads", "hidden"])
@pytest.mark.parametrize("single", [False, True], ids=["pairs", "judgements"])
def test_a_probe_learns_on_a_model(
    tiny_engine: TransformersEngine, features: Any, single: bool
) -> None:
    support: Any = judgements(pairs(range(6))) if single else pairs(range(6))
    fitted = RewardProbe(CRITERION, features).fit(tiny_engine, support)
    unseen = pairs(range(20, 26))
    margins = fitted.margins(unseen)
    assert (margins > 0).all()
    prompts = [pair.prompt for pair in unseen]
    found = fitted.score(prompts, [p.chosen for p in unseen]) - fitted.score(
        prompts, [p.rejected for p in unseen]
    )
    assert found == pytest.approx(margins)
    again = RewardProbe(CRITERION, features).fit(tiny_engine, support)
    assert (again.margins(unseen) == margins).all()


def test_a_probe_sees_pictures() -> None:
    engine: Any = SeeingEngine()
    shades = [("red", "blue"), ("blue", "green"), ("green", "red")] * 3
    seen = [
        Preference("Color?", good, bad, images=(colored(good, n),))
        for n, (good, bad) in enumerate(shades)
    ]
    fitted = RewardProbe(CRITERION).fit(engine, seen[:6])
    assert (fitted.margins(seen[6:]) > 0).all()


def test_a_probe_says_what_an_engine_lacks() -> None:
    with pytest.raises(EngineError, match="hidden states"):
        RewardProbe(CRITERION, "hidden").fit(SeeingEngine(), pairs(range(3)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="features"):
        RewardProbe(CRITERION, "attention")  # type: ignore[arg-type]


# --- LoRA --------------------------------------------------------------------------------------


@pytest.fixture
def own_engine() -> TransformersEngine:
    pytest.importorskip("peft")
    return TransformersEngine(family("llama").build(), build_tokenizer())


def test_lora_learns_and_leaves_the_engine_as_it_was(own_engine: TransformersEngine) -> None:
    unseen = pairs(range(20, 24))
    plain = TokenProbability(CRITERION).fit(own_engine)
    before = plain.margins(unseen)
    weights = {name: value.clone() for name, value in own_engine.model.state_dict().items()}
    fitted = LoraRewardModel(CRITERION, QUICK).fit(own_engine, pairs(range(6)))
    margins = fitted.margins(unseen)
    assert (margins > 0).all()
    assert margins.mean() > before.mean() + 1
    assert fitted.trained.best_epoch > 0
    assert len(fitted.trained.held_out_losses) > 1
    assert (plain.margins(unseen) == before).all()
    after = own_engine.model.state_dict()
    assert weights.keys() == after.keys()
    assert all(torch.equal(weights[name], after[name]) for name in weights)
    # The same adapter, again, and again by the same seed.
    assert fitted.margins(unseen) == pytest.approx(margins, abs=1e-5)
    again = LoraRewardModel(CRITERION, QUICK).fit(own_engine, pairs(range(6)))
    assert again.margins(unseen) == pytest.approx(margins, abs=1e-3)


@pytest.mark.parametrize("pointwise", [False, True], ids=["judgements", "pairs"])
def test_lora_learns_where_good_begins(own_engine: TransformersEngine, pointwise: bool) -> None:
    found = pairs(range(3))
    support: Any = found if pointwise else judgements(found)
    method = LoraRewardModel(CRITERION, QUICK, pointwise=pointwise, held_out=0)
    fitted = method.fit(own_engine, support)
    assert fitted.trained.held_out_losses == ()
    prompts = [pair.prompt for pair in found]
    # Not only the better of two is known, but which is good.
    assert (fitted.score(prompts, [p.chosen for p in found]) > 0).all()
    assert (fitted.score(prompts, [p.rejected for p in found]) < 0).all()


def test_lora_needs_a_model_of_its_own() -> None:
    with pytest.raises(EngineError, match="does not hold"):
        LoraRewardModel(CRITERION).fit(JudgingEngine(), pairs(range(2)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="held_out"):
        LoraRewardModel(CRITERION, held_out=1.0)


# --- By name -----------------------------------------------------------------------------------


def test_every_name_has_a_method_of_the_criterion() -> None:
    for name, named in NAMED_REWARDS.items():
        method: Any = named_reward(name, CRITERION, seed=3)
        inner = method.judge if hasattr(method, "judge") else method
        assert inner.criterion == CRITERION
        assert method.seed == 3
        assert named.name == name
        assert named.description
    with pytest.raises(InputError, match=r"token-probability.*lora"):
        named_reward("magic", CRITERION)


@pytest.mark.parametrize("name", [n for n, one in NAMED_REWARDS.items() if not one.learns])
@pytest.mark.filterwarnings("ignore::headwise.baselines.llm_judge.UnreadableJudgementWarning")
def test_what_learns_nothing_needs_no_support(name: str) -> None:
    fitted = named_reward(name, CRITERION).fit(JudgingEngine(), [])
    assert np.isfinite(fitted.margins([Preference("Q?", "q=1", "q=-1")])).all()


@pytest.mark.parametrize("name", [n for n, one in NAMED_REWARDS.items() if one.learns])
def test_what_learns_needs_support(name: str, tiny_engine: TransformersEngine) -> None:
    with pytest.raises(InputError):
        named_reward(name, CRITERION).fit(tiny_engine, [])
