"""Classifies by what the model writes when it is asked for the class."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from numpy.typing import NDArray

from headwise.baselines.class_questions import ClassQuestions
from headwise.baselines.shots import ShotCounts
from headwise.engines.base import Sampling
from headwise.examples import ExampleLike
from headwise.prompts.answer_reading import read_class

UNREAD = ""
"""What `predict` says where the model named no class: no class at all, so never a right one."""


class UnreadWarning(UserWarning):
    """Some of a model's answers named no class."""


@dataclass(frozen=True, slots=True)
class ClassReading:
    """What a model wrote, and the class in it.

    Args:
        text: What it wrote.
        name: The class; None where it named none, or several.
    """

    text: str
    name: str | None


@dataclass(frozen=True, slots=True)
class ClassReadings(Sequence[ClassReading]):
    """What a model wrote of some examples.

    Args:
        items: One for each example, in order.
    """

    items: tuple[ClassReading, ...]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[ClassReading]:
        return iter(self.items)

    @overload
    def __getitem__(self, position: int) -> ClassReading: ...

    @overload
    def __getitem__(self, position: slice) -> tuple[ClassReading, ...]: ...

    def __getitem__(self, position: int | slice) -> ClassReading | tuple[ClassReading, ...]:
        return self.items[position]

    @property
    def n_unread(self) -> int:
        """How many answers named no class."""
        return sum(item.name is None for item in self.items)


@dataclass(frozen=True, eq=False)
class GeneratedClassifier:
    """Tells classes apart by what the model writes, greedily.

    Where it names no class, or several, `predict` says `UNREAD`, probabilities are uniform, and
    an `UnreadWarning` tells how often that was.

    Args:
        questions: How examples are put to the model.
        max_new_tokens: Cap on what it writes.
        shots: How many worked examples each prompt shows.
    """

    questions: ClassQuestions
    max_new_tokens: int = 32
    shots: ShotCounts = field(default_factory=ShotCounts)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of every array's columns."""
        return self.questions.prompt.classes

    def read(self, examples: Sequence[ExampleLike], *, progress: bool = False) -> ClassReadings:
        """What the model writes, and what class that names.

        Args:
            examples: `n` examples, texts or pictures (see `as_example`); labels are ignored.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` readings.
        """
        texts = self.questions.engine.generate(
            self.questions.conversations(examples),
            Sampling(self.max_new_tokens),
            progress=progress,
        )
        read = ClassReadings(
            tuple(ClassReading(text.strip(), read_class(text, self.classes)) for text in texts)
        )
        if read.n_unread:
            warnings.warn(
                f"{read.n_unread} of {len(read)} answers named none of the classes, or several.",
                UnreadWarning,
                stacklevel=3,
            )
        return read

    def predict_proba(
        self, examples: Sequence[ExampleLike], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """One for the class that was named; the same for all where none was.

        Returns:
            `(n, n_classes)` float64, rows sum to 1.
        """
        shares = np.full((len(examples), len(self.classes)), 1 / len(self.classes))
        for row, item in enumerate(self.read(examples, progress=progress)):
            if item.name is not None:
                shares[row] = [float(name == item.name) for name in self.classes]
        return shares

    def predict(self, examples: Sequence[ExampleLike], *, progress: bool = False) -> list[str]:
        """The class that was named of each example; `UNREAD` where none was."""
        return [item.name or UNREAD for item in self.read(examples, progress=progress)]
