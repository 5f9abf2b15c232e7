"""Classifies by how likely the model finds each class's name as its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from headwise.baselines.class_questions import ClassQuestions
from headwise.baselines.label_priors import log_prior
from headwise.baselines.shots import ShotCounts
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Example, ExampleLike
from headwise.heads import HeadVectors
from headwise.prompts.conversation import Conversation

Likelihood = Literal["full", "per_byte", "first_token"]
"""What of a label's log-probability counts.

`"full"` is the sum over its tokens; `"per_byte"` divides that by the label's length in UTF-8, so
that long labels do not lose by their length; `"first_token"` takes the first token alone, where
labels that begin alike tie.
"""


@dataclass(frozen=True, eq=False)
class LikelihoodClassifier:
    """Tells classes apart by the log-probabilities of their names.

    Args:
        questions: How examples are put to the model.
        likelihood: What of a log-probability counts.
        shots: How many worked examples each prompt shows.
        log_prior: What is taken off each class's decision value, `(n_classes,)` in nats; None where
            nothing is: a model may find a name likely whatever it is asked.
    """

    questions: ClassQuestions
    likelihood: Likelihood = "full"
    shots: ShotCounts = field(default_factory=ShotCounts)
    log_prior: NDArray[np.float64] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of every array's columns."""
        return self.questions.prompt.classes

    def decision_function(
        self, examples: Sequence[ExampleLike], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Log-probabilities of the class names less their prior, `(n, n_classes)` float64.

        Args:
            examples: `n` examples, texts or pictures (see `as_example`); labels are ignored.
            progress: Whether to show a progress bar on stderr.

        Returns:
            What of each log-probability counts, in nats.
        """
        conversations = self.questions.conversations(examples)
        found = label_logprobs(
            self.questions.engine,
            conversations,
            self.classes,
            self.likelihood,
            progress=progress,
        )
        return found if self.log_prior is None else found - self.log_prior

    def calibrated(
        self, inputs: Sequence[Example], *, progress: bool = False
    ) -> LikelihoodClassifier:
        """The classifier with the bias that it shows on some inputs taken off.

        Args:
            inputs: What tells nothing of a class (`content_free`), or has all classes alike.
            progress: Whether to show a progress bar on stderr.

        Returns:
            A new classifier; on these inputs the classes are equally likely on average.

        Source: Zhao et al. (arXiv:2102.09690); with a support set as inputs, Zhou et al.
            (arXiv:2309.17249), who take the batch that is asked, so that an answer depends on what
            is asked beside it.

        Raises:
            InputError: There is no input.
        """
        if not inputs:
            raise InputError("Calibration needs examples; give some.")
        uncalibrated = replace(self, log_prior=None)
        decisions = uncalibrated.decision_function(inputs, progress=progress)
        return replace(self, log_prior=log_prior(decisions))

    def predict_proba(
        self, examples: Sequence[ExampleLike], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Softmax of the decision values; see `Classifier.predict_proba`."""
        decisions = self.decision_function(examples, progress=progress)
        return torch.softmax(torch.from_numpy(decisions), dim=1).numpy()

    def predict(self, examples: Sequence[ExampleLike], *, progress: bool = False) -> list[str]:
        """The likeliest class of each example."""
        decisions = self.decision_function(examples, progress=progress)
        return [self.classes[number] for number in decisions.argmax(axis=1)]


def label_logprobs(
    engine: Engine,
    conversations: Sequence[Conversation],
    labels: Sequence[str],
    likelihood: Likelihood = "full",
    *,
    progress: bool = False,
) -> NDArray[np.float64]:
    """How likely a model finds labels as answers.

    Args:
        engine: The model.
        conversations: `n` prompts.
        labels: `c` labels.
        likelihood: What of a log-probability counts.
        progress: Whether to show a progress bar on stderr.

    Returns:
        `(n, c)` float64, in nats.

    Raises:
        EngineError: The engine cannot say; a server knows only labels of one token in chats, and
            no first tokens of longer ones.
    """
    if likelihood == "first_token":
        return _first_tokens(engine, conversations, labels, progress=progress)
    found = engine.token_logprobs(conversations, labels, progress=progress).numpy()
    if likelihood == "full":
        return found
    lengths = np.array([len(label.encode()) for label in labels], dtype=np.float64)
    return np.asarray(found / lengths)


def _first_tokens(
    engine: Engine,
    conversations: Sequence[Conversation],
    labels: Sequence[str],
    *,
    progress: bool,
) -> NDArray[np.float64]:
    """What the loss of a target's first token is where no head is replaced."""
    layout = engine.layout
    nothing = HeadVectors(
        layout, tuple(torch.zeros(entry.n_heads, entry.head_dim) for entry in layout.layers)
    )
    losses = engine.mask_losses(
        [conversation for conversation in conversations for _ in labels],
        [label for _ in conversations for label in labels],
        nothing,
        torch.zeros(1, layout.n_heads, dtype=torch.bool),
        progress=progress,
    )
    return -losses[0].double().reshape(len(conversations), len(labels)).numpy()
