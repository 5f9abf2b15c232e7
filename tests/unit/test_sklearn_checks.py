"""scikit-learn's own estimator checks, on the estimators as they are for texts.

The checks feed matrices of numbers. Here a matrix is validated as scikit-learn asks and written out
as texts, one row a text, so that every check runs and none is excused: fitting, predicting,
cloning, pickling, naming. The estimators themselves refuse matrices, as their tags say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from number_engine import NumberEngine
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

import headwise.integrations.sklearn.held_engine as held_engine
from headwise.integrations.sklearn import HeadFeatures, SAVClassifier


def texts_of(numbers: Any) -> list[str]:
    return [" ".join(f"{value:.6f}" for value in row) for row in np.asarray(numbers, float)]


class TextsOfNumbers:
    """Takes matrices as estimators of numbers do, and hands each row on as a text."""

    def fit(self, X: Any, y: Any = None) -> Any:  # noqa: N803
        numbers = validate_data(self, X, dtype="numeric")
        return super().fit(texts_of(numbers), y)  # type: ignore[misc]

    def checked(self, X: Any) -> list[str]:  # noqa: N803
        check_is_fitted(self)
        return texts_of(validate_data(self, X, dtype="numeric", reset=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        # Without it no check is run at all; with the other, only the first column is fed.
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        return tags


class Classifier(TextsOfNumbers, SAVClassifier):
    """The classifier on texts of numbers."""

    def predict(self, X: Any) -> Any:  # noqa: N803
        return super().predict(self.checked(X))

    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        return super().predict_proba(self.checked(X))

    def decision_function(self, X: Any) -> Any:  # noqa: N803
        return super().decision_function(self.checked(X))


class Features(TextsOfNumbers, HeadFeatures):
    """The transformer on texts of numbers."""

    def transform(self, X: Any) -> Any:  # noqa: N803
        return super().transform(self.checked(X))


@pytest.fixture(autouse=True)
def named_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The name "numbers" loads the fake engine; a held engine would not be pickled."""
    engine = NumberEngine()
    held_engine._loaded.cache_clear()
    monkeypatch.setattr("headwise.engines.load.load", lambda name: engine)
    yield
    held_engine._loaded.cache_clear()


@parametrize_with_checks(
    [Classifier("numbers", n_heads=3), Features("numbers"), Features("numbers", heads=2)]
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
