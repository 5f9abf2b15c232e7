"""scikit-learn's own estimator checks, on the estimators as they are for texts.

The checks feed matrices of numbers. A matrix is written out as texts here, one row a text, so that
the checks say something about fitting, predicting, cloning, pickling and naming. Those that ask how
numbers themselves are validated are expected to fail, for texts have no columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import headwise.integrations.sklearn.held_engine as held_engine
from headwise.examples import Example
from headwise.integrations.sklearn import HeadFeatures, SAVClassifier
from number_engine import NumberEngine


class TextsOfNumbers:
    """Writes each row of a matrix as a text."""

    def _examples(self, rows: Any, instruction: str) -> list[Example]:
        return [
            Example(" ".join(f"{float(value):.6f}" for value in row)) for row in np.asarray(rows)
        ]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        # Without it no check is run at all; with the other, only the first column is fed.
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        return tags


class Classifier(TextsOfNumbers, SAVClassifier):
    """The classifier on texts of numbers."""


class Features(TextsOfNumbers, HeadFeatures):
    """The transformer on texts of numbers."""


@pytest.fixture(autouse=True)
def named_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The name "numbers" loads the fake engine; a held engine would not be pickled."""
    engine = NumberEngine()
    held_engine._loaded.cache_clear()
    monkeypatch.setattr("headwise.engines.load.load", lambda name: engine)
    yield
    held_engine._loaded.cache_clear()


def expected_failures(estimator: Any) -> dict[str, str]:
    return {}


@parametrize_with_checks(
    [Classifier("numbers", n_heads=3), Features("numbers"), Features("numbers", heads=2)],
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_tags_say_that_texts_are_taken_and_matrices_are_not() -> None:
    for estimator in (SAVClassifier(), HeadFeatures()):
        tags = get_tags(estimator).input_tags
        assert (tags.string, tags.one_d_array, tags.two_d_array) == (True, True, False)
    assert get_tags(SAVClassifier()).estimator_type == "classifier"
    assert get_tags(SAVClassifier()).target_tags.required
    assert not get_tags(HeadFeatures()).target_tags.required
    assert get_tags(HeadFeatures(heads=2)).target_tags.required
