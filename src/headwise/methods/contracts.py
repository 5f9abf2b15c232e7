"""What methods and baselines promise alike, so that an evaluation can compare any of them.

A `...Method` has settings only; its `fit` learns from a few examples on a frozen model and returns
a fitted value. Where nothing is learned (zero-shot), `fit` only binds the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from headwise.engines.base import Engine
from headwise.examples import (
    Example,
    ExampleLike,
    Judgement,
    Preference,
    Prompt,
    Response,
)
from headwise.methods.answers import Answerer
from headwise.methods.reward_inputs import ImagesOfRows


class Classifier(Protocol):
    """Tells classes apart."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of every array's columns."""

    def predict_proba(
        self, examples: Sequence[ExampleLike], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Probabilities `(n, n_classes)` float64; each row sums to one."""

    def predict(self, examples: Sequence[ExampleLike], *, progress: bool = False) -> list[str]:
        """The likeliest class of each of `n` examples."""


class ClassifierMethod(Protocol):
    """Learns a classifier from labelled examples."""

    def fit(
        self, engine: Engine, examples: Sequence[Example], *, progress: bool = False
    ) -> Classifier:
        """Fits on a support set; see `SparseAttentionVectors.fit`."""


class Rewarder(Protocol):
    """Says how good responses are."""

    def score(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesOfRows = None,
        *,
        progress: bool = False,
    ) -> NDArray[np.float64]:
        """Rewards `(n,)` float64; higher is better; see `RewardModel.score`."""

    def margins(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """`(n,)` float64, positive where the chosen response is preferred; zero is a tie."""


@runtime_checkable
class OrderedRewarder(Protocol):
    """A rewarder that compares responses shown one after the other, so that order may matter."""

    @property
    def shows_order(self) -> bool:
        """Whether it does compare; False where it judges each response alone."""

    def ordered_margins(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Margins `(n, 2)` float64 with the chosen response shown first, and with it second."""


class RewardMethod(Protocol):
    """Learns a reward model from preferences."""

    def fit(
        self,
        engine: Engine,
        preferences: Sequence[Preference | Judgement],
        *,
        progress: bool = False,
    ) -> Rewarder:
        """Fits on a few preferences; see `ActivationRewardModel.fit`."""


class AnswerMethod(Protocol):
    """Learns to answer questions in free text."""

    def fit(
        self, engine: Engine, examples: Sequence[Example], *, progress: bool = False
    ) -> Answerer:
        """Fits on worked examples (label: the right answer); what it returns answers questions."""
