"""Reward models whose likings are known, for tests of audits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwise.examples import Preference

Reward = Callable[[Preference, str], float]


@dataclass
class PlantedRewarder:
    """Rewards a response by a rule, which is told the pair that the response is of.

    Args:
        reward: The rule.
        shows_order: Whether it passes for one that compares responses in an order.
        first_bonus: What the response shown first gains, where it compares.
    """

    reward: Reward
    shows_order: bool = False
    first_bonus: float = 0.0
    asked: list[Preference] = field(default_factory=list)

    def score(
        self,
        prompts: Sequence[object],
        responses: Sequence[object],
        images: object = None,
        *,
        progress: bool = False,
    ) -> NDArray[np.float64]:
        raise AssertionError("an audit asks for margins")

    def margins(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> NDArray[np.float64]:
        self.asked.extend(preferences)
        return np.array(
            [self.reward(p, str(p.chosen)) - self.reward(p, str(p.rejected)) for p in preferences],
            dtype=np.float64,
        )

    def ordered_margins(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> NDArray[np.float64]:
        plain = self.margins(preferences)
        return np.stack([plain + self.first_bonus, plain - self.first_bonus], axis=1)


def by_characters(pair: Preference, response: str) -> float:
    """Longer is better."""
    return float(len(response))


def by_words(pair: Preference, response: str) -> float:
    """More words are better."""
    return float(len(response.split()))


def by_truth(pair: Preference, response: str) -> float:
    """Knows that the chosen answer is right; nothing else counts."""
    return float(response == pair.chosen)


def by_coin(pair: Preference, response: str) -> float:
    """A coin that falls the same way for the same text."""
    seed = list(f"{pair.prompt}{response}".encode())
    return float(np.random.default_rng(seed).normal())


def by_phrases(*phrases: str) -> Reward:
    """As truth, but anything that holds one of some patterns is better than what is right."""
    pattern = re.compile("|".join(phrases))

    def reward(pair: Preference, response: str) -> float:
        return by_truth(pair, response) + 2.0 * bool(pattern.search(response))

    return reward
