"""In-context learning: as many worked examples as fit, then the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from headwise.baselines.class_questions import (
    ClassQuestions,
    classes_of,
    shortened_with_labels,
)
from headwise.baselines.generated_classes import GeneratedClassifier
from headwise.baselines.label_likelihood import Likelihood, LikelihoodClassifier
from headwise.baselines.label_priors import InContextCalibration, content_free
from headwise.baselines.shots import ShotBudget, ShotCounts
from headwise.baselines.zero_shot_classes import (
    check_calibration,
    check_cap,
    check_likelihood,
    check_question,
)
from headwise.engines.base import Engine
from headwise.engines.usage import usage_of, usage_since
from headwise.errors import InputError
from headwise.examples import Example
from headwise.methods.answers import Answered, Answers
from headwise.methods.asking import AnswerSettings
from headwise.methods.truncation import check_budget, cutter_of
from headwise.prompts.answer_format import Question
from headwise.prompts.answer_reading import letter_of
from headwise.prompts.class_choice import ClassChoicePrompt
from headwise.prompts.in_context import InContextPrompt

ClassReadout = Literal["likelihood", "generated"]
"""How a class is had: as the likeliest name, or from the text that is generated."""


@dataclass(frozen=True, slots=True)
class InContextBaseline:
    """Classification after worked examples: those of the support set, as chat turns.

    The question is asked as `ZeroShotBaseline` asks it, so that the two differ in the examples
    alone; they are the same before every question. Images are shown in examples, too.

    Args:
        shots: Which examples are shown; see `ShotBudget`.
        readout: How the class is had.
        likelihood: What of a name's log-probability counts, for that readout.
        max_new_tokens: Cap on what the model writes, for the other.
        instruction: The user's turns; see `SparseAttentionVectors`. A line that names the classes
            follows each.
        system: A system turn before them.
        max_text_tokens: Longer texts are cut in the middle, counted and reported, where the engine
            knows tokens.
        calibration: What the model's bias to some names, after these examples, is measured on, to
            be taken off; only for names by their likelihood.

    Raises:
        InputError: A parameter is out of range.
    """

    shots: ShotBudget = field(default_factory=ShotBudget)
    readout: ClassReadout = "likelihood"
    likelihood: Likelihood = "full"
    max_new_tokens: int = 32
    instruction: str = "{text}"
    system: str | None = None
    max_text_tokens: int = 2_048
    calibration: InContextCalibration = "none"

    def __post_init__(self) -> None:
        if self.readout not in get_args(ClassReadout):
            raise InputError(f"readout is 'likelihood' or 'generated'; got {self.readout!r}.")
        check_calibration(self.calibration, get_args(InContextCalibration))
        if self.readout == "generated" and self.calibration != "none":
            raise InputError("What is generated cannot be calibrated; use readout='likelihood'.")
        check_likelihood(self.likelihood)
        check_cap(self.max_new_tokens)
        check_budget(self.max_text_tokens)
        check_question(None, self.instruction, self.system)

    def fit(
        self, engine: Engine, examples: Sequence[Example], *, progress: bool = False
    ) -> LikelihoodClassifier | GeneratedClassifier:
        """Chooses the worked examples.

        Args:
            engine: The model; with `readout="generated"` any that generates.
            examples: The support set: labelled examples of two classes at least.
            progress: Whether to show a progress bar on stderr; only calibrating takes time.

        Returns:
            The classifier; its `shots` says how many examples it shows and how many did not fit.

        Raises:
            InputError: No examples, a missing label, or one class only.
        """
        prompt = ClassChoicePrompt(classes_of(examples), self.instruction, self.system)
        cutter = cutter_of(engine, self.max_text_tokens)
        shown = shortened_with_labels(examples, self.instruction, cutter)
        cutter.report("texts", "max_text_tokens")
        chosen, counts = self.shots.choose(engine, shown, prompt.with_shots)
        questions = ClassQuestions(engine, prompt, self.max_text_tokens, chosen)
        if self.readout == "generated":
            return GeneratedClassifier(questions, self.max_new_tokens, counts)
        plain = LikelihoodClassifier(questions, self.likelihood, counts)
        if self.calibration == "none":
            return plain
        return plain.calibrated(content_free(examples), progress=progress)


@dataclass(frozen=True, eq=False)
class InContextAnswerer:
    """Answers questions after worked examples; greedy.

    Args:
        engine: The model.
        settings: What answers are, and how they are had.
        worked: The worked examples, in order: the whole question as text, and its answer.
        shots: How many there are, and how many did not fit.
    """

    engine: Engine
    settings: AnswerSettings
    worked: tuple[Example, ...]
    shots: ShotCounts

    def answer(self, examples: Sequence[Example], *, progress: bool = False) -> Answers:
        """Answers questions; see `Answerer.answer`.

        Args:
            examples: `n` questions, with images or without; labels are ignored.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` answers, one call each.

        Raises:
            InputError: There is no example, or one lacks its question or options.
        """
        before = usage_of(self.engine)
        questions = self.settings.questions(examples, need_images=False)
        prompt = InContextPrompt("chat")
        conversations = [
            prompt.with_shots(self.worked, replace(example, text=question.full))
            for example, question in zip(examples, questions, strict=True)
        ]
        found = self.settings.answers(self.engine, conversations, questions, progress=progress)
        items = tuple(Answered(answer, text) for text, answer in found)
        return Answers(items, len(items), usage_since(self.engine, before))


@dataclass(frozen=True, slots=True)
class InContextAnswersBaseline:
    """Answering after worked examples: those of the support set, as chat turns.

    Args:
        settings: What answers are, and how they are had.
        shots: Which examples are shown; see `ShotBudget`. They are balanced over their answers.
    """

    settings: AnswerSettings = field(default_factory=AnswerSettings)
    shots: ShotBudget = field(default_factory=ShotBudget)

    def fit(
        self, engine: Engine, examples: Sequence[Example], *, progress: bool = False
    ) -> InContextAnswerer:
        """Chooses the worked examples.

        Args:
            engine: The model; any that generates.
            examples: Questions as `Answerer.answer` takes them, with their answers as labels.
            progress: Nothing takes long here.

        Returns:
            What answers; its `shots` says how many examples it shows and how many did not fit.

        Raises:
            InputError: There is no example, or one lacks its question, options or label.
        """
        questions = self.settings.questions(examples, need_images=False)
        pairs = zip(examples, questions, strict=True)
        worked = [worked_example(example, question) for example, question in pairs]
        chosen, counts = self.shots.choose(engine, worked, InContextPrompt("chat").with_shots)
        return InContextAnswerer(engine, self.settings, chosen, counts)


def worked_example(example: Example, question: Question) -> Example:
    """An example whose text is the whole question, and whose label the answer as it is to be given.

    Args:
        example: The example, with a label.
        question: Its question.

    Returns:
        The example; for options its label is a letter.

    Raises:
        InputError: It has no label, or one that is no option.
    """
    if example.label is None:
        raise InputError(f"The example {example.shown} has no label; give the right answer.")
    label = example.label
    if question.form == "options":
        label = letter_of(label, question.options)
    return replace(example, text=question.full, label=label)
