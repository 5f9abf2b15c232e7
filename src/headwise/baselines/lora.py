"""A LoRA fine-tune on the same few examples, as a classifier; the model itself stays frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from headwise.baselines.class_questions import ClassQuestions, classes_of
from headwise.baselines.label_likelihood import LikelihoodClassifier
from headwise.baselines.lora_training import (
    Choice,
    Continuation,
    LoraTraining,
    TrainedLora,
    train_lora,
)
from headwise.baselines.zero_shot_classes import check_question
from headwise.engines.base import Engine
from headwise.engines.open_model import DifferentiableEngine
from headwise.errors import InputError
from headwise.examples import Example, ExampleLike, labels_of
from headwise.methods.truncation import check_budget
from headwise.prompts.class_choice import ClassChoicePrompt

_FEWEST_TO_HOLD_OUT = 4


@dataclass(frozen=True, eq=False)
class LoraClassifier:
    """A zero-shot classifier whose model was fine-tuned; made by `LoraBaseline.fit`.

    Args:
        zero_shot: The classifier as it is without the adapter.
        trained: The adapter, and how its training went; it is in the model while a call lasts.
        n_held_out: How many support examples said when to stop.
    """

    zero_shot: LikelihoodClassifier
    trained: TrainedLora
    n_held_out: int

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of every array's columns."""
        return self.zero_shot.classes

    def predict_proba(
        self, examples: Sequence[ExampleLike], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Softmax of the fine-tuned model's log-probabilities; see `Classifier.predict_proba`."""
        with self.trained.adapter.applied(self._engine):
            return self.zero_shot.predict_proba(examples, progress=progress)

    def predict(self, examples: Sequence[ExampleLike], *, progress: bool = False) -> list[str]:
        """The class that the fine-tuned model finds likeliest."""
        with self.trained.adapter.applied(self._engine):
            return self.zero_shot.predict(examples, progress=progress)

    @property
    def _engine(self) -> DifferentiableEngine:
        return cast(DifferentiableEngine, self.zero_shot.questions.engine)


@dataclass(frozen=True, slots=True)
class LoraBaseline:
    """Fine-tunes low-rank weights on the support set, with part of it held out to stop by.

    The question is that of `ZeroShotBaseline`; the loss is the cross-entropy among the
    log-probabilities of the class names. The model's own weights are never written to.

    Source: Hu et al. (arXiv:2106.09685), through `peft`.

    Args:
        training: How it is trained.
        held_out_share: Share of each class that is held out, one example at least; of a class of
            fewer than four none is, and where none is at all training takes a fixed number of
            epochs.
        instruction: The user's turn; see `SparseAttentionVectors`. A line that names the classes
            follows it.
        system: A system turn before it.
        max_text_tokens: Longer texts are cut in the middle, counted and reported.

    Raises:
        InputError: A parameter is out of range.
    """

    training: LoraTraining = field(default_factory=LoraTraining)
    held_out_share: float = 0.25
    instruction: str = "{text}"
    system: str | None = None
    max_text_tokens: int = 2_048

    def __post_init__(self) -> None:
        if not 0 < self.held_out_share < 1:
            raise InputError(f"held_out_share must be between 0 and 1; got {self.held_out_share}.")
        check_budget(self.max_text_tokens)
        check_question(None, self.instruction, self.system)

    def fit(
        self, engine: Engine, examples: Sequence[Example], *, progress: bool = False
    ) -> LoraClassifier:
        """Trains the adapter; the model is afterwards bit for bit what it was.

        Args:
            engine: An engine that holds its model (`headwise.load`).
            examples: The support set: labelled examples of two classes at least.
            progress: Whether to show a progress bar on stderr.

        Returns:
            The classifier.

        Raises:
            InputError: No examples, a missing label, or one class only.
            MissingExtraError: `peft` is not installed.
            EngineError: The engine holds no model that can be trained.
        """
        labels, classes = labels_of(examples), classes_of(examples)
        prompt = ClassChoicePrompt(classes, self.instruction, self.system)
        questions = ClassQuestions(engine, prompt, self.max_text_tokens)
        conversations = questions.conversations(examples)
        choices = [
            Choice(
                tuple((Continuation(conversation, name),) for name in classes),
                classes.index(label),
            )
            for conversation, label in zip(conversations, labels, strict=True)
        ]
        held_out = held_out_rows(labels, self.held_out_share, self.training.seed)
        trained = train_lora(
            cast(DifferentiableEngine, engine),
            [choice for row, choice in enumerate(choices) if row not in held_out],
            [choices[row] for row in sorted(held_out)],
            self.training,
            progress=progress,
        )
        return LoraClassifier(LikelihoodClassifier(questions), trained, len(held_out))


def held_out_rows(labels: Sequence[str], share: float, seed: int) -> frozenset[int]:
    """Rows to hold out, of each label's alike.

    Args:
        labels: One label a row.
        share: Share of each label's rows; one at least, none of fewer than four.
        seed: Seed of which.

    Returns:
        Row numbers.
    """
    random = np.random.default_rng(seed)
    rows: set[int] = set()
    for name in sorted(set(labels)):
        own = [row for row, label in enumerate(labels) if label == name]
        if len(own) >= _FEWEST_TO_HOLD_OUT:
            n = min(max(1, round(share * len(own))), len(own) - 1)
            rows.update(random.permutation(own)[:n].tolist())
    return frozenset(rows)
