"""Classifiers on multiple choice: the options are put into the text that they see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Example, ExampleLike, as_example
from headwise.methods.contracts import Classifier, ClassifierMethod
from headwise.prompts.answer_format import options_of


@dataclass(frozen=True, slots=True)
class LetteredMethod:
    """A classifier's method whose examples show their options, one a line behind the text.

    Args:
        method: The method; its classes are the letters.
    """

    method: ClassifierMethod

    def fit(
        self, engine: Engine, examples: Sequence[Example], *, progress: bool = False
    ) -> LetteredClassifier:
        """Fits the method; see `ClassifierMethod.fit`."""
        shown = [with_options(example) for example in examples]
        return LetteredClassifier(self.method.fit(engine, shown, progress=progress))


@dataclass(frozen=True, slots=True, eq=False)
class LetteredClassifier:
    """A classifier whose examples show their options.

    Args:
        classifier: The classifier; its classes are the letters.
    """

    classifier: Classifier

    @property
    def classes(self) -> tuple[str, ...]:
        """The letters."""
        return self.classifier.classes

    def predict_proba(
        self, examples: Sequence[ExampleLike], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Probabilities of the letters; see `Classifier.predict_proba`."""
        shown = [with_options(as_example(example)) for example in examples]
        return self.classifier.predict_proba(shown, progress=progress)

    def predict(self, examples: Sequence[ExampleLike], *, progress: bool = False) -> list[str]:
        """The likeliest letters."""
        shown = [with_options(as_example(example)) for example in examples]
        return self.classifier.predict(shown, progress=progress)


def with_options(example: Example) -> Example:
    """An example with its options in its text.

    Args:
        example: Its options are its fields `A`, `B`, ...

    Returns:
        The example; as it is where it has no such fields, or its text names all options already.
    """
    try:
        options = options_of(example)
    except InputError:
        return example
    if all(option in example.text for option in options.values()):
        return example
    lines = [f"{letter}. {option}" for letter, option in options.items()]
    text = "\n".join([example.text, *lines])
    fields: dict[str, Any] = {**example.fields}
    if "text" in fields:
        fields["text"] = text
    return replace(example, text=text, fields=fields)
