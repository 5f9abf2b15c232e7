"""A Bradley-Terry / logistic probe: the linear reward that all heads, or the last state, hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from headwise.baselines.asked_rewards import AskedRewards
from headwise.baselines.features import Features, read_features
from headwise.baselines.linear_reward import LinearReward, fit_linear_reward
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Judgement, Preference
from headwise.methods.reward_support import scalar_support
from headwise.methods.truncation import check_budget, cutter_of
from headwise.prompts.conversation import Conversation
from headwise.prompts.reward import RewardPrompt


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
        max_text_tokens: Longer turns and responses are cut in the middle, counted and reported; a
            model behind a server, which counts no tokens, is shown them whole.
        seed: Seed of the folds.

    Raises:
        InputError: A parameter is out of range.

    Source: linear probes as in arXiv:1610.01644, here with the Bradley-Terry likelihood.
    """

    criterion: str
    features: Features = "heads"
    system: str | None = None
    max_text_tokens: int = 1_024
    seed: int = 0

    def __post_init__(self) -> None:
        RewardPrompt(self.criterion, "scalar", self.system)
        if self.features not in get_args(Features):
            raise InputError(f"features is one of {get_args(Features)}; got {self.features!r}.")
        check_budget(self.max_text_tokens)

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
        cutter = cutter_of(engine, self.max_text_tokens)
        support = scalar_support(preferences, prompt, cutter)
        cutter.report("support texts", "max_text_tokens")
        features = read_features(engine, support.conversations, self.features, progress=progress)
        reward = fit_linear_reward(features, support, self.seed)
        return ProbeRewards(engine, prompt, (), self.max_text_tokens, self.features, reward)


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
