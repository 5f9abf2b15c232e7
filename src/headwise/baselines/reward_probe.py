"""A Bradley-Terry / logistic probe: the linear reward that all heads, or the last state, hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from headwise.baselines.asked_rewards import AskedRewards
from headwise.baselines.linear_reward import LinearReward, fit_linear_reward
from headwise.baselines.text_budget import (
    TextBudget,
    check_text_budget,
    resolved_budget,
    text_cutter,
)
from headwise.engines.base import Engine
from headwise.engines.open_model import HiddenStateEngine
from headwise.errors import EngineError, InputError
from headwise.examples import Judgement, Preference
from headwise.methods.reward_support import scalar_support
from headwise.prompts.conversation import Conversation
from headwise.prompts.reward import RewardPrompt

Features = Literal["heads", "hidden"]
"""What a probe reads at the last token: every head's output, or the last hidden state."""


@dataclass(frozen=True, slots=True)
class RewardProbe:
    """A linear reward of what the model holds when it is asked to judge a response.

    Of a pair the probability that the chosen response is better is the logistic function of the
    difference of two rewards (Bradley-Terry); of a single judgement, that it is good, that of the
    reward. Both are fitted together, by L2-regularised logistic regression of the differences and
    of the single ones; how strongly is chosen by cross-validation over pairs.

    Args:
        criterion: What a good response does, as a sentence, such as `"The answer is correct."`.
        features: `"heads"`, the outputs of all heads; `"hidden"`, the last hidden state. Either at
            the last token of the question that `ActivationRewardModel` asks in its scalar form.
        system: A system turn before the question.
        max_text_tokens: Longer turns and responses are cut in the middle, counted and reported;
            None cuts none, `"auto"` is 1,024 where the engine can count tokens.
        seed: Seed of the folds.

    Raises:
        InputError: A parameter is out of range.

    Source: linear probes as in arXiv:1610.01644, here with the Bradley-Terry likelihood.
    """

    criterion: str
    features: Features = "heads"
    system: str | None = None
    max_text_tokens: TextBudget = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        RewardPrompt(self.criterion, "scalar", self.system)
        if self.features not in get_args(Features):
            raise InputError(f"features is one of {get_args(Features)}; got {self.features!r}.")
        check_text_budget(self.max_text_tokens)

    def fit(
        self,
        engine: Engine,
        preferences: Sequence[Preference | Judgement],
        *,
        progress: bool = False,
    ) -> ProbeRewards:
        """Fits the probe.

        Args:
            engine: The frozen model; for `"hidden"` one that gives hidden states.
            preferences: Preference pairs, or single judged responses, or both.
            progress: Whether to show progress bars on stderr.

        Returns:
            The reward model.

        Raises:
            InputError: No preferences, or good (or bad) ones only.
            EngineError: The engine shows no heads, or no hidden states.
        """
        prompt = RewardPrompt(self.criterion, "scalar", self.system)
        budget = resolved_budget(engine, self.max_text_tokens)
        cutter = text_cutter(engine, budget)
        support = scalar_support(preferences, prompt, cutter)
        cutter.report("support texts", "max_text_tokens")
        features = read_features(engine, support.conversations, self.features, progress=progress)
        reward = fit_linear_reward(features, support, self.seed)
        return ProbeRewards(engine, prompt, (), budget, self.features, reward)


@dataclass(frozen=True, eq=False)
class ProbeRewards(AskedRewards):
    """Rewards in log-odds; made by `RewardProbe.fit`.

    Args:
        features: What the probe reads.
        reward: The linear reward.
    """

    features: Features
    reward: LinearReward

    def votes(
        self, conversations: Sequence[Conversation], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """The linear reward of each question, `(n, 1)`; see `AskedRewards.votes`."""
        found = read_features(self.engine, conversations, self.features, progress=progress)
        return self.reward.values(found)[:, None]


def read_features(
    engine: Engine,
    conversations: Sequence[Conversation],
    features: Features,
    *,
    progress: bool = False,
) -> NDArray[np.float64]:
    """What a probe reads of conversations.

    Args:
        engine: The frozen model.
        conversations: `n` conversations.
        features: What is read.
        progress: Whether to show a progress bar.

    Returns:
        `(n, d)` float64; of heads, all layers' heads one after the other.

    Raises:
        EngineError: The engine does not show them.
    """
    if features == "heads":
        activations = engine.capture(conversations, progress=progress)
        flat = [value.flatten(start_dim=1).double().numpy() for value in activations.values]
        return np.concatenate(flat, axis=1)
    if not isinstance(engine, HiddenStateEngine):
        raise EngineError(
            f"{type(engine).__name__} gives no hidden states, which this probe reads; use the "
            "transformers engine (headwise.load), or features='heads'."
        )
    return engine.hidden_states(conversations, progress=progress).double().numpy()
