"""Ways of answering as methods with `fit`, so that an evaluation can compare any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from headwise.baselines.chain_of_thought import ZeroShotChainOfThought
from headwise.baselines.in_context import worked_example
from headwise.baselines.zero_shot import ZeroShot
from headwise.engines.base import Engine
from headwise.engines.usage import usage_of, usage_since
from headwise.errors import InputError
from headwise.examples import Example
from headwise.methods.answers import Answered, Answers
from headwise.methods.asking import AnswerSettings
from headwise.methods.compositional import CompositionalChainOfThought
from headwise.methods.task_vector import TaskVector
from headwise.methods.task_vectors import TaskVectors
from headwise.prompts.answer_reading import read_answer
from headwise.prompts.compositional import CompositionalPrompt


@dataclass(frozen=True, slots=True)
class ZeroShotAnswers:
    """`ZeroShot` as an `AnswerMethod`: `fit` binds the model and looks at no example.

    Args:
        settings: What answers are, and how they are had.
    """

    settings: AnswerSettings = field(default_factory=AnswerSettings)

    def fit(
        self, engine: Engine, examples: Sequence[Example] = (), *, progress: bool = False
    ) -> ZeroShot:
        """Binds the model; examples are not looked at."""
        return ZeroShot(engine, self.settings)


@dataclass(frozen=True, slots=True)
class ChainOfThoughtAnswers:
    """`ZeroShotChainOfThought` as an `AnswerMethod`.

    Args:
        settings: What answers are, and how they are had.
        max_thought_tokens: Cap on the thoughts.
    """

    settings: AnswerSettings = field(default_factory=AnswerSettings)
    max_thought_tokens: int = 256

    def fit(
        self, engine: Engine, examples: Sequence[Example] = (), *, progress: bool = False
    ) -> ZeroShotChainOfThought:
        """Binds the model; examples are not looked at."""
        return ZeroShotChainOfThought(engine, self.settings, self.max_thought_tokens)


@dataclass(frozen=True, slots=True)
class CompositionalAnswers:
    """`CompositionalChainOfThought` as an `AnswerMethod`; its questions need images.

    Args:
        settings: What answers are, and how they are had.
        prompt: How the calls are put.
        max_graph_tokens: Cap on the scene graph.
    """

    settings: AnswerSettings = field(default_factory=AnswerSettings)
    prompt: CompositionalPrompt = field(default_factory=CompositionalPrompt)
    max_graph_tokens: int = 256

    def fit(
        self, engine: Engine, examples: Sequence[Example] = (), *, progress: bool = False
    ) -> CompositionalChainOfThought:
        """Binds the model; examples are not looked at."""
        return CompositionalChainOfThought(
            engine, self.settings, self.prompt, self.max_graph_tokens
        )


@dataclass(frozen=True, eq=False)
class TaskVectorAnswerer:
    """Answers questions with a task vector, which is steered with no example in the prompt.

    Args:
        vector: The task vector, fitted on whole questions.
        settings: What answers are.
    """

    vector: TaskVector
    settings: AnswerSettings

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
        before = usage_of(self.vector.engine)
        questions = self.settings.questions(examples, need_images=False)
        asked = [
            Example(question.full, images=example.images)
            for example, question in zip(examples, questions, strict=True)
        ]
        sampling = replace(self.settings.sampling, stop=self.vector.sampling.stop)
        texts = self.vector.generate(asked, sampling, progress=progress)
        items = tuple(
            Answered(read_answer(text, question), text)
            for text, question in zip(texts, questions, strict=True)
        )
        return Answers(items, len(items), usage_since(self.vector.engine, before))


@dataclass(frozen=True, slots=True)
class TaskVectorAnswers:
    """`TaskVectors` as an `AnswerMethod`.

    Args:
        settings: What answers are; they are generated, so `readout` is `"text"`.
        method: How the task vector is fitted.

    Raises:
        InputError: Answers are to be had otherwise than from text.
    """

    settings: AnswerSettings = field(default_factory=AnswerSettings)
    method: TaskVectors = field(default_factory=TaskVectors)

    def __post_init__(self) -> None:
        if self.settings.readout != "text":
            raise InputError(
                "A task vector's answers are generated and read, so readout is 'text'; got "
                f"{self.settings.readout!r}."
            )

    def fit(
        self, engine: Engine, examples: Sequence[Example], *, progress: bool = False
    ) -> TaskVectorAnswerer:
        """Fits the task vector; see `TaskVectors.fit`.

        Args:
            engine: The frozen model.
            examples: Questions as `Answerer.answer` takes them, with their answers as labels.
            progress: Whether to show progress bars on stderr.

        Returns:
            What answers.

        Raises:
            InputError: Too few examples, or one lacks its question, options or label.
        """
        questions = self.settings.questions(examples, need_images=False)
        pairs = zip(examples, questions, strict=True)
        worked = [worked_example(example, question) for example, question in pairs]
        return TaskVectorAnswerer(self.method.fit(engine, worked, progress=progress), self.settings)
