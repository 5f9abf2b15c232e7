"""Nearest neighbours by cosine, on all heads or on the last hidden state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwise.baselines.class_questions import classes_of
from headwise.baselines.features import FeatureSettings
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Example, ExampleLike, labels_of


@dataclass(frozen=True, eq=False)
class NearestNeighbourClassifier:
    """A classifier that remembers its support set; made by `NearestNeighbourBaseline.fit`.

    Args:
        engine: The frozen model.
        settings: Which features it looks at.
        classes: Class names, in the order of every array's columns.
        directions: The support set's features, of length one, `(n_support, width)`.
        labels: Their positions in `classes`, `(n_support,)`.
        k: How many neighbours have a vote.
    """

    engine: Engine
    settings: FeatureSettings
    classes: tuple[str, ...]
    directions: NDArray[np.float64]
    labels: NDArray[np.int64]
    k: int

    def predict_proba(
        self, examples: Sequence[ExampleLike], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Shares of the votes; where classes tie, that of the nearer neighbours has a bit more.

        Args:
            examples: `n` examples, texts or pictures (see `as_example`).
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n, n_classes)` float64, rows sum to 1.
        """
        features = self.settings.of(self.engine, examples, progress=progress)
        similar = directions_of(features) @ self.directions.T
        # Of equally near ones the first has the vote.
        nearest = np.argsort(-similar, axis=1, kind="stable")[:, : self.k]
        # What is added to the votes is less than one vote in all.
        votes = 1 + (self.k - np.arange(self.k)) / (self.k * (self.k + 1))
        shares = np.zeros((len(features), len(self.classes)))
        for rank in range(self.k):
            shares[np.arange(len(features)), self.labels[nearest[:, rank]]] += votes[rank]
        return np.asarray(shares / votes.sum())

    def predict(self, examples: Sequence[ExampleLike], *, progress: bool = False) -> list[str]:
        """The class that most neighbours of each example have."""
        shares = self.predict_proba(examples, progress=progress)
        return [self.classes[number] for number in shares.argmax(axis=1)]


@dataclass(frozen=True, slots=True)
class NearestNeighbourBaseline:
    """Nearest neighbours among the support set; images or text.

    Args:
        settings: Which features are compared, and how examples are put to the model.
        k: How many neighbours have a vote; all examples where there are fewer.

    Raises:
        InputError: `k` is none.
    """

    settings: FeatureSettings = field(default_factory=lambda: FeatureSettings("hidden"))
    k: int = 1

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InputError(f"k is 1 at least; got {self.k}.")

    def fit(
        self, engine: Engine, examples: Sequence[Example], *, progress: bool = False
    ) -> NearestNeighbourClassifier:
        """Remembers the support set; one forward pass over it.

        Args:
            engine: The frozen model.
            examples: The support set: labelled examples of two classes at least.
            progress: Whether to show a progress bar on stderr.

        Returns:
            The classifier.

        Raises:
            InputError: No examples, a missing label, or one class only.
            EngineError: The engine does not show these features.
        """
        classes = classes_of(examples)
        labels = np.array([classes.index(name) for name in labels_of(examples)])
        features = self.settings.of(engine, examples, progress=progress)
        return NearestNeighbourClassifier(
            engine,
            self.settings,
            classes,
            directions_of(features),
            labels,
            min(self.k, len(examples)),
        )


def directions_of(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features divided by their length, rows `(n, width)`; zeros stay zeros."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(lengths == 0, 1.0, lengths))
