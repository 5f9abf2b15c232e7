"""Zero-shot classification: the model is asked for the class, and shown no example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from headwise.baselines.class_questions import ClassQuestions, classes_of
from headwise.baselines.generated_classes import GeneratedClassifier
from headwise.baselines.label_likelihood import Likelihood, LikelihoodClassifier
from headwise.baselines.label_priors import ZeroShotCalibration, content_free
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Example
from headwise.methods.truncation import check_budget
from headwise.prompts.class_choice import ClassChoicePrompt


@dataclass(frozen=True, slots=True)
class ZeroShotBaseline:
    """Zero-shot classification by the likelihood of the class names as answers.

    Args:
        classes: The classes; those of the examples, in alphabetical order, where None.
        likelihood: What of a name's log-probability counts; see `Likelihood`.
        instruction: The user's turn; see `SparseAttentionVectors`. A line that names the classes
            follows it.
        system: A system turn before it.
        max_text_tokens: Longer texts are cut in the middle, counted and reported, where the engine
            knows tokens.
        calibration: What the model's bias to some names is measured on, to be taken off.

    Raises:
        InputError: A parameter is out of range.
    """

    classes: tuple[str, ...] | None = None
    likelihood: Likelihood = "full"
    instruction: str = "{text}"
    system: str | None = None
    max_text_tokens: int = 2_048
    calibration: ZeroShotCalibration = "none"

    def __post_init__(self) -> None:
        check_likelihood(self.likelihood)
        check_calibration(self.calibration, get_args(ZeroShotCalibration))
        check_budget(self.max_text_tokens)
        check_question(self.classes, self.instruction, self.system)

    def fit(
        self, engine: Engine, examples: Sequence[Example] = (), *, progress: bool = False
    ) -> LikelihoodClassifier:
        """Binds the model; of the examples the names of the classes are taken, and what calibrates.

        Args:
            engine: The model; for a server's, classes of one token each.
            examples: Labelled examples; none are needed where `classes` is given and nothing is
                calibrated.
            progress: Whether to show a progress bar on stderr; only calibrating takes time.

        Returns:
            The classifier.

        Raises:
            InputError: The classes are not known, or nothing is there to calibrate on.
        """
        plain = LikelihoodClassifier(_questions(self, engine, examples), self.likelihood)
        if self.calibration == "none":
            return plain
        inputs = content_free(examples) if self.calibration == "content_free" else examples
        return plain.calibrated(inputs, progress=progress)


@dataclass(frozen=True, slots=True)
class ZeroShotGeneratedBaseline:
    """Zero-shot classification by what the model writes; see `GeneratedClassifier`.

    Args:
        classes: The classes; those of the examples, in alphabetical order, where None.
        max_new_tokens: Cap on what it writes.
        instruction: The user's turn; see `SparseAttentionVectors`. A line that names the classes
            follows it.
        system: A system turn before it.
        max_text_tokens: Longer texts are cut in the middle, counted and reported, where the engine
            knows tokens.

    Raises:
        InputError: A parameter is out of range.
    """

    classes: tuple[str, ...] | None = None
    max_new_tokens: int = 32
    instruction: str = "{text}"
    system: str | None = None
    max_text_tokens: int = 2_048

    def __post_init__(self) -> None:
        check_cap(self.max_new_tokens)
        check_budget(self.max_text_tokens)
        check_question(self.classes, self.instruction, self.system)

    def fit(
        self, engine: Engine, examples: Sequence[Example] = (), *, progress: bool = False
    ) -> GeneratedClassifier:
        """Binds the model; of the examples nothing but the names of the classes is taken.

        Args:
            engine: The model; any that generates.
            examples: Labelled examples; none are needed where `classes` is given.
            progress: Nothing takes long here.

        Returns:
            The classifier.

        Raises:
            InputError: The classes are not known.
        """
        return GeneratedClassifier(_questions(self, engine, examples), self.max_new_tokens)


def check_likelihood(likelihood: str) -> None:
    """Checks what of a log-probability is to count.

    Raises:
        InputError: It is unknown.
    """
    if likelihood not in get_args(Likelihood):
        raise InputError(
            f"likelihood is one of {', '.join(get_args(Likelihood))}; got {likelihood!r}."
        )


def check_calibration(calibration: str, known: tuple[str, ...]) -> None:
    """Checks what a classifier is to be calibrated on.

    Raises:
        InputError: It is unknown.
    """
    if calibration not in known:
        raise InputError(f"calibration is one of {', '.join(known)}; got {calibration!r}.")


def check_cap(max_new_tokens: int) -> None:
    """Checks a cap on what the model writes.

    Raises:
        InputError: It is none.
    """
    if max_new_tokens < 1:
        raise InputError(f"max_new_tokens is 1 at least; got {max_new_tokens}.")


def check_question(classes: tuple[str, ...] | None, instruction: str, system: str | None) -> None:
    """Checks how classes are to be asked for.

    Raises:
        InputError: See `ClassChoicePrompt`.
    """
    ClassChoicePrompt(("a", "b") if classes is None else classes, instruction, system)


def _questions(
    settings: ZeroShotBaseline | ZeroShotGeneratedBaseline,
    engine: Engine,
    examples: Sequence[Example],
) -> ClassQuestions:
    classes = classes_of(examples) if settings.classes is None else settings.classes
    prompt = ClassChoicePrompt(classes, settings.instruction, settings.system)
    return ClassQuestions(engine, prompt, settings.max_text_tokens)
