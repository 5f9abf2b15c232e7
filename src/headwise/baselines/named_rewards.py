"""Reward methods by the names that the command line and reports have for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from headwise.baselines.llm_judge import JudgeVoting, LLMJudge
from headwise.baselines.lora_reward import LoraRewardModel
from headwise.baselines.reward_probe import RewardProbe
from headwise.baselines.token_probability import TokenProbability
from headwise.errors import InputError
from headwise.methods.activation_reward import ActivationRewardModel
from headwise.methods.contracts import RewardMethod

SHOTS = 8
"""Judged examples in the prompts of the few-shot methods that are named."""


@dataclass(frozen=True, slots=True)
class NamedReward:
    """A reward method with its settings at their defaults.

    Args:
        name: Its name.
        description: What it is, in a few words.
        build: A criterion and a seed -> the method.
        learns: Whether it makes anything of support preferences; False for zero-shot.
    """

    name: str
    description: str
    build: Callable[[str, int], RewardMethod]
    learns: bool = True


_ALL = (
    NamedReward(
        "activation-reward",
        "heads chosen on the support, whichever readout holds out best",
        lambda criterion, seed: ActivationRewardModel(criterion, seed=seed),
    ),
    NamedReward(
        "activation-reward-paper",
        "steered heads, as published",
        lambda criterion, seed: ActivationRewardModel.paper(criterion, seed=seed),
    ),
    NamedReward(
        "sparse-reward",
        "margin of a few heads' centroids",
        lambda criterion, seed: ActivationRewardModel(criterion, readout="sparse", seed=seed),
    ),
    NamedReward(
        "token-probability",
        "P(Yes) against P(No)",
        lambda criterion, seed: TokenProbability(criterion, seed=seed),
        learns=False,
    ),
    NamedReward(
        "token-probability-few-shot",
        f"P(Yes) against P(No) after {SHOTS} judged examples",
        lambda criterion, seed: TokenProbability(criterion, n_shots=SHOTS, seed=seed),
    ),
    NamedReward(
        "judge",
        "a written rating from 1 to 10",
        lambda criterion, seed: LLMJudge(criterion, seed=seed),
        learns=False,
    ),
    NamedReward(
        "judge-few-shot",
        f"a written rating after {SHOTS} judged examples",
        lambda criterion, seed: LLMJudge(criterion, n_shots=SHOTS, seed=seed),
    ),
    NamedReward(
        "pairwise-judge",
        "a written A or B, in both orders",
        lambda criterion, seed: LLMJudge(criterion, "pairwise", seed=seed),
        learns=False,
    ),
    NamedReward(
        "pairwise-judge-few-shot",
        f"a written A or B, in both orders, after {SHOTS} judged examples",
        lambda criterion, seed: LLMJudge(criterion, "pairwise", n_shots=SHOTS, seed=seed),
    ),
    NamedReward(
        "voting",
        "the mean of five sampled ratings",
        lambda criterion, seed: JudgeVoting(LLMJudge(criterion, seed=seed), seed=seed),
        learns=False,
    ),
    NamedReward(
        "probe",
        "Bradley-Terry probe on all heads",
        lambda criterion, seed: RewardProbe(criterion, "heads", seed=seed),
    ),
    NamedReward(
        "probe-hidden",
        "Bradley-Terry probe on the last hidden state",
        lambda criterion, seed: RewardProbe(criterion, "hidden", seed=seed),
    ),
    NamedReward(
        "lora",
        "LoRA fine-tune on the same preferences",
        lambda criterion, seed: LoraRewardModel(criterion, seed=seed),
    ),
)

NAMED_REWARDS: Mapping[str, NamedReward] = MappingProxyType({one.name: one for one in _ALL})
"""All of them, in the order in which they are listed."""


def named_reward(name: str, criterion: str, seed: int = 0) -> RewardMethod:
    """The reward method of a name.

    Args:
        name: One of `NAMED_REWARDS`.
        criterion: What a good response does, as a sentence.
        seed: Seed of whatever it draws.

    Returns:
        The method, not yet fitted.

    Raises:
        InputError: There is none of this name.
    """
    if name not in NAMED_REWARDS:
        raise InputError(
            f"There is no reward method {name!r}; there are {', '.join(NAMED_REWARDS)}."
        )
    return NAMED_REWARDS[name].build(criterion, seed)
