"""The logistic probe as a classifier: on all heads, or on the last hidden state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwise.baselines.class_questions import classes_of
from headwise.baselines.features import FeatureSettings
from headwise.baselines.linear_probe import LinearProbe, fit_probe
from headwise.engines.base import Engine
from headwise.examples import Example, ExampleLike, labels_of


@dataclass(frozen=True, eq=False)
class ProbeClassifier:
    """A classifier from a logistic regression; made by `ProbeBaseline.fit`.

    Args:
        engine: The frozen model.
        settings: Which features it looks at.
        classes: Class names, in the order of every array's columns.
        probe: The regression.
    """

    engine: Engine
    settings: FeatureSettings
    classes: tuple[str, ...]
    probe: LinearProbe

    def predict_proba(
        self, examples: Sequence[ExampleLike], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """The regression's probabilities; see `Classifier.predict_proba`."""
        return self.probe.probabilities(self.settings.of(self.engine, examples, progress=progress))

    def predict(self, examples: Sequence[ExampleLike], *, progress: bool = False) -> list[str]:
        """The likeliest class of each example."""
        shares = self.predict_proba(examples, progress=progress)
        return [self.classes[number] for number in shares.argmax(axis=1)]


@dataclass(frozen=True, slots=True)
class ProbeBaseline:
    """Logistic regression on what the model computes, standardised; images or text.

    The penalty is chosen by cross-validated log-loss on the support set.

    Args:
        settings: Which features it looks at, and how examples are put to the model.
        seed: Seed of the folds.
    """

    settings: FeatureSettings = field(default_factory=FeatureSettings)
    seed: int = 0

    def fit(
        self, engine: Engine, examples: Sequence[Example], *, progress: bool = False
    ) -> ProbeClassifier:
        """Fits the regression; one forward pass over the support set.

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
        return ProbeClassifier(
            engine, self.settings, classes, fit_probe(features, labels, self.seed)
        )
