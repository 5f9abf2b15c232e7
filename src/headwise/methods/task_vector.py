"""The fitted task vector: frozen, answers like the examples it was made of, saves and loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from headwise.artifacts import Artifact, ArtifactRecord
from headwise.artifacts.fields import Fields
from headwise.artifacts.json_value import JSON
from headwise.artifacts.matching import check_fingerprint
from headwise.engines.base import Engine, ModelFingerprint, Sampling
from headwise.errors import InputError
from headwise.examples import Example, ExampleLike, as_example
from headwise.heads import HeadLayout, HeadSet, HeadVectors, Steering
from headwise.methods.steered_engine import SteeredEngine
from headwise.methods.task_answers import is_answer
from headwise.methods.task_arithmetic import mixed, mixed_vectors, offset, scaled, summed
from headwise.methods.task_record import (
    prompt_from_record,
    prompt_json,
    steering_from_record,
    steering_json,
    task_tensors,
    zero_shot_from_record,
)
from headwise.methods.truncation import TextCutter
from headwise.prompts.conversation import Conversation
from headwise.prompts.in_context import InContextPrompt


@dataclass(frozen=True, eq=False)
class TaskVector(Artifact):
    """A task, as what some heads put out while the model reads examples of it.

    Made by `TaskVectors.fit`, or from other task vectors by `scaled`, `interpolated`, `as_offset`
    and `plus`. It answers inputs with no example in the prompt.

    Args:
        engine: The frozen model.
        prompt: How inputs are put to the model.
        max_text_tokens: Longer inputs are cut in the middle.
        steering: The heads and what is put into them.
        zero_shot: Mean outputs of all heads on zero-shot prompts of the same examples; None where
            the steering is an offset already.
        parameters: The settings it was fitted with, or what it was made from.
        statistics: What is known of the fit.
        fingerprint: The model it was fitted on.
        layout: The heads of that model.
    """

    engine: Engine
    prompt: InContextPrompt
    max_text_tokens: int
    steering: Steering
    zero_shot: HeadVectors | None
    parameters: Mapping[str, JSON]
    statistics: Mapping[str, JSON]
    fingerprint: ModelFingerprint
    layout: HeadLayout

    method: ClassVar[str] = "task-vectors"

    def __repr__(self) -> str:
        verb = "replaces" if self.steering.operation == "replace" else "adds to"
        return f"TaskVector({verb} {len(self.heads)} heads of {self.fingerprint.model_id})"

    @property
    def heads(self) -> HeadSet:
        """The steered heads, best first, scored by the search that found them."""
        return self.steering.heads

    @property
    def sampling(self) -> Sampling:
        """How answers are picked unless said otherwise: greedy, to where an example would end."""
        return Sampling(stop=self.prompt.stop)

    def generate(
        self,
        inputs: Sequence[ExampleLike],
        sampling: Sampling | None = None,
        *,
        progress: bool = False,
    ) -> list[str]:
        """The steered model's answers.

        Args:
            inputs: `n` examples, texts or pictures (see `as_example`); labels are ignored.
            sampling: How tokens are picked, `self.sampling` where None.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` answers, without blanks around them.
        """
        conversations = self._conversations(inputs)
        texts = self.engine.generate(
            conversations, sampling or self.sampling, self.steering, progress=progress
        )
        return [text.strip() for text in texts]

    def candidate_logprobs(
        self, inputs: Sequence[ExampleLike], candidates: Sequence[str], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """How likely the steered model finds each candidate as an answer.

        Args:
            inputs: `n` examples, texts or pictures (see `as_example`); labels are ignored.
            candidates: `c` answers, the same for every input.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n, c)` float64: the sum over a candidate's tokens of its log-probability, so that
            longer candidates tend to less.

        Raises:
            InputError: There is no candidate, or an empty one.
        """
        for candidate in candidates:
            if not candidate.strip():
                raise InputError("A candidate is empty; give answers of one character at least.")
        conversations = self._conversations(inputs)
        targets = [self.prompt.target(candidate) for candidate in candidates]
        return self.engine.token_logprobs(
            conversations, targets, self.steering, progress=progress
        ).numpy()

    def predict(
        self, inputs: Sequence[ExampleLike], candidates: Sequence[str], *, progress: bool = False
    ) -> list[str]:
        """The candidate that the steered model finds likeliest for each input.

        Args:
            inputs: `n` examples, texts or pictures (see `as_example`); labels are ignored.
            candidates: `c` answers, the same for every input; of equals the first.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` candidates.

        Raises:
            InputError: There is no candidate, or an empty one.
        """
        logprobs = self.candidate_logprobs(inputs, candidates, progress=progress)
        return [candidates[int(number)] for number in logprobs.argmax(axis=1)]

    def score(
        self,
        examples: Sequence[Example],
        sampling: Sampling | None = None,
        *,
        progress: bool = False,
    ) -> float:
        """Share of examples that are answered as labelled; see `is_answer`.

        Args:
            examples: Examples with labels.
            sampling: How tokens are picked, `self.sampling` where None.
            progress: Whether to show a progress bar on stderr.

        Returns:
            Accuracy.

        Raises:
            InputError: There are no examples, or one has no label.
        """
        targets = [example.label for example in examples if example.label is not None]
        if not examples or len(targets) < len(examples):
            raise InputError(
                f"score needs one example at least, and a label with each; got {len(examples)} "
                f"examples and {len(targets)} labels."
            )
        answers = self.generate(examples, sampling, progress=progress)
        return float(np.mean([is_answer(a, t) for a, t in zip(answers, targets, strict=True)]))

    @contextmanager
    def applied(self, engine: Engine | None = None) -> Iterator[Engine]:
        """Steers any prompt, not only those of the task's own form, while the block lasts.

        What it gives is another engine, which runs this one steered: `generate` and
        `token_logprobs` steer the last token of each prompt (and generated tokens, where
        `steering.positions` says so). The engine you had is never changed, so runs through it
        stay unsteered inside the block too. `capture` and `mask_losses` cannot be run steered and
        raise an `EngineError`.

        Args:
            engine: An engine on the same model; the task vector's own where None.

        Yields:
            The steered engine, of use inside the block only.

        Raises:
            ArtifactError: The engine runs another model.
        """
        if engine is not None:
            check_fingerprint(self.fingerprint, engine.fingerprint)
        steered = SteeredEngine(engine or self.engine, self.steering)
        try:
            yield steered
        finally:
            steered.close()

    def scaled(self, factor: float) -> TaskVector:
        """The task vector with every vector times a factor.

        An offset fades out towards factor 0. A replacement does not: at factor 0 its heads are
        silenced, not left alone; for a weaker task, scale `as_offset()`.

        Raises:
            InputError: The factor is NaN or infinite.
        """
        return self._made(scaled(self.steering, factor), self.zero_shot, "scaled", [self], factor)

    def as_offset(self) -> TaskVector:
        """The same task as what is added to each head's output, in place of what replaces it.

        The offset of a head is its vector minus the mean of its output on the zero-shot prompts of
        the training examples. Added rather than replaced, what the head says of the input at hand
        is kept. The heads were chosen for replacement, so measure what the offset does.

        Raises:
            InputError: It is an offset already.
        """
        if self.zero_shot is None:
            raise InputError("This task vector is an offset already.")
        return self._made(offset(self.steering, self.zero_shot), None, "as_offset", [self])

    def plus(self, other: TaskVector) -> TaskVector:
        """Both tasks' offsets at once, on the heads of either; the order does not matter.

        Args:
            other: An offset (see `as_offset`) of the same model and prompt.

        Returns:
            An offset; vectors of heads that both steer are added up.

        Raises:
            InputError: One is no offset, or models, prompts or positions differ.
        """
        self._require_kin(other)
        return self._made(summed(self.steering, other.steering), None, "plus", [self, other])

    def interpolated(self, other: TaskVector, weight: float) -> TaskVector:
        """A task vector between two: this one at weight 0, the other at weight 1.

        Replacements must be of the same heads. Offsets may be of any: a head that only one steers
        counts as zero in the other.

        Args:
            other: A task vector of the same model, prompt and operation.
            weight: Share of the other, 0 to 1.

        Returns:
            The task vector in between.

        Raises:
            InputError: The weight is out of range, or the two cannot be mixed; says why.
        """
        self._require_kin(other)
        zero_shot = None
        if self.zero_shot is not None and other.zero_shot is not None:
            zero_shot = mixed_vectors(self.zero_shot, other.zero_shot, weight)
        steering = mixed(self.steering, other.steering, weight)
        return self._made(steering, zero_shot, "interpolated", [self, other], weight)

    def to_record(self) -> ArtifactRecord:
        """All that is needed to have this task vector again."""
        return ArtifactRecord(
            method=self.method,
            parameters={
                "settings": dict(self.parameters),
                "max_text_tokens": self.max_text_tokens,
                **steering_json(self.steering),
            },
            base_model=self.fingerprint,
            layout=self.layout,
            heads=self.heads,
            prompt=prompt_json(self.prompt),
            statistics=dict(self.statistics),
            tensors=task_tensors(self.steering, self.zero_shot),
        )

    @classmethod
    def from_record(cls, record: ArtifactRecord, engine: Engine) -> Self:
        """The task vector that `to_record` described; see `Artifact.from_record`."""
        parameters = Fields(record.parameters, "parameters")
        steering = steering_from_record(record)
        return cls(
            engine=engine,
            prompt=prompt_from_record(record),
            max_text_tokens=parameters.integer("max_text_tokens", minimum=8),
            steering=steering,
            zero_shot=zero_shot_from_record(record) if steering.operation == "replace" else None,
            parameters=parameters.mapping("settings"),
            statistics=record.statistics,
            fingerprint=record.base_model,
            layout=record.layout,
        )

    def _conversations(self, inputs: Sequence[ExampleLike]) -> list[Conversation]:
        cutter = TextCutter(self.engine, self.max_text_tokens)
        asked = [as_example(value) for value in inputs]
        cut = [Example(cutter.cut(example.text), images=example.images) for example in asked]
        cutter.report("inputs", "max_text_tokens")
        return [self.prompt.query(example) for example in cut]

    def _require_kin(self, other: TaskVector) -> None:
        differing = other.fingerprint.difference(self.fingerprint)
        if differing:
            raise InputError(
                "The two task vectors were fitted on different models, which differ in "
                f"{', '.join(differing)}; fit both on one model."
            )
        if other.prompt != self.prompt:
            raise InputError(
                f"The two task vectors put inputs to the model differently ({self.prompt} and "
                f"{other.prompt}); fit both with the same style, prefixes and instruction."
            )

    def _made(
        self,
        steering: Steering,
        zero_shot: HeadVectors | None,
        verb: str,
        sources: Sequence[TaskVector],
        number: float | None = None,
    ) -> TaskVector:
        # What was measured of the sources does not hold for what is made of them.
        origin = {"made_by": verb, "number": number, "of": [dict(s.parameters) for s in sources]}
        return replace(
            self,
            max_text_tokens=max(source.max_text_tokens for source in sources),
            steering=steering,
            zero_shot=zero_shot,
            parameters=origin,
            statistics={},
        )
