"""Scorers for `inspect_ai`: a fitted reward model or classifier judges what a model answered.

inspect_ai finds them by their entry point: `inspect score LOG --scorer headwise/headwise_reward -S
artifact=DIR`, or `scorer=headwise_reward(artifact=DIR)` in a task.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np

from headwise.artifacts.source import read_record
from headwise.content import images_in
from headwise.content.turns import Message
from headwise.errors import InputError, MissingExtraError
from headwise.examples import Example
from headwise.integrations.inspect_messages import turns_of
from headwise.methods.reward_model import RewardModel
from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier

try:
    import anyio.to_thread
    from inspect_ai.scorer import (
        CORRECT,
        INCORRECT,
        NOANSWER,
        Score,
        Scorer,
        Target,
        accuracy,
        mean,
        scorer,
        stderr,
    )
    from inspect_ai.solver import TaskState
except ImportError as error:
    raise MissingExtraError("inspect-ai", "inspect", "The inspect_ai scorers") from error

T = TypeVar("T")


@scorer(metrics=[mean(), stderr()])
def headwise_reward(artifact: str, device: str | None = None, dtype: str | None = None) -> Scorer:
    """The reward of the model's answer to the conversation before it.

    Args:
        artifact: Folder or Hub id of a reward model, of the scalar form.
        device: Where its language model runs; see `headwise.load`.
        dtype: What its language model is loaded as.

    Returns:
        The scorer. A score is a calibrated log-odds: above 0 the answer rather meets the criterion
        than not; its probability is in the metadata.

    Raises:
        ArtifactError: It is missing, damaged, or no reward model.
        InputError: It is of the ranked form, which needs several answers to each prompt.
    """
    model = _Held(RewardModel, artifact, device, dtype)
    if model.record.prompt.get("form") == "ranked":
        raise InputError(
            f"{artifact} is of the ranked form, which compares several answers to one prompt; an "
            "inspect_ai scorer sees one. Fit a reward model with --form scalar."
        )
    criterion = str(model.record.prompt.get("criterion"))

    async def score(state: TaskState, target: Target) -> Score:
        chat = _chat(state)

        def judged(fitted: RewardModel) -> float:
            return float(fitted.score([chat.prompt], [chat.answer.content])[0])

        reward = await model.used(judged)
        return Score(
            value=reward,
            answer=state.output.completion,
            explanation=f"Log-odds that the answer meets the criterion: {criterion}",
            metadata={"probability": float(1 / (1 + np.exp(-reward)))},
        )

    return score


@scorer(metrics=[accuracy(), stderr()])
def headwise_classifier(
    artifact: str,
    of: Literal["output", "input"] = "output",
    expected: str | list[str] | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> Scorer:
    """Whether a classifier puts the model's answer into the class that it should be in.

    Args:
        artifact: Folder or Hub id of a classifier.
        of: Which text is classified: the `"output"` of the model, or the `"input"` of the sample,
            to test the classifier itself. Places of its instruction other than `{text}` are filled
            by `input`, `output` and the sample's metadata.
        expected: The class (or classes) that count as correct; the sample's target where None.
        device: Where its language model runs; see `headwise.load`.
        dtype: What its language model is loaded as.

    Returns:
        The scorer. Correct where the class is an expected one; no answer where there is nothing to
        classify. The metadata has the probabilities.

    Raises:
        ArtifactError: It is missing, damaged, or no classifier.
        InputError: `of` is neither, or an expected class is none of the classifier's.
    """
    if of not in ("output", "input"):
        raise InputError(f"of is 'output' or 'input'; got {of!r}.")
    model = _Held(SparseAttentionClassifier, artifact, device, dtype)
    fixed = [expected] if isinstance(expected, str) else expected

    async def score(state: TaskState, target: Target) -> Score:
        wanted = list(target) if fixed is None else fixed
        example = _example(state, of)
        if example is None:
            return Score(value=NOANSWER, explanation=f"The {of} is empty.")

        def classified(fitted: SparseAttentionClassifier) -> dict[str, float]:
            _check_classes(wanted, fitted.classes)
            row = fitted.predict_proba([example])[0]
            return dict(zip(fitted.classes, row.tolist(), strict=True))

        probabilities = await model.used(classified)
        likeliest = max(probabilities, key=lambda name: probabilities[name])
        return Score(
            value=CORRECT if likeliest in wanted else INCORRECT,
            answer=likeliest,
            metadata={"probabilities": probabilities},
        )

    return score


@dataclass
class _Held:
    """An artifact whose model is loaded at the first sample, and serves one sample at a time."""

    kind: type[Any]
    artifact: str
    device: str | None
    dtype: str | None
    lock: threading.Lock = field(default_factory=threading.Lock)
    fitted: Any = None

    def __post_init__(self) -> None:
        self.record = read_record(self.artifact)
        if self.record.method != self.kind.method:
            raise InputError(
                f"{self.artifact} was made by '{self.record.method}'; this scorer takes one made "
                f"by '{self.kind.method}'."
            )

    async def used(self, use: Callable[[Any], T]) -> T:
        """What a function makes of the artifact, in a thread of its own."""

        def locked() -> T:
            with self.lock:
                if self.fitted is None:
                    self.fitted = self.kind.from_pretrained(
                        self.artifact, device=self.device, dtype=self.dtype
                    )
                return use(self.fitted)

        found: T = await anyio.to_thread.run_sync(locked)
        return found


@dataclass(frozen=True, slots=True)
class _Chat:
    prompt: tuple[Message, ...]
    answer: Message


def _chat(state: TaskState) -> _Chat:
    """The last answer, and the conversation before it."""
    messages = list(state.messages)
    if messages and messages[-1].role == "assistant":
        messages.pop()
    prompt = turns_of(messages)
    if not prompt:
        raise InputError("The sample has no message before the model's answer.")
    return _Chat(prompt, _answer(state))


def _answer(state: TaskState) -> Message:
    if not state.output.choices:
        return Message("assistant", state.output.completion)
    [answer] = turns_of([state.output.message])
    return answer


def _example(state: TaskState, of: str) -> Example | None:
    """What is classified; None where there is nothing."""
    if of == "output":
        text = state.output.completion
        turns: tuple[Message, ...] = (_answer(state),)
    else:
        text = state.input_text
        turns = () if isinstance(state.input, str) else turns_of(state.input)
    images = tuple(image for turn in turns for image in images_in(turn.content))
    if not text.strip() and not images:
        return None
    plain = {str(name): str(value) for name, value in state.metadata.items()}
    fields = {**plain, "input": state.input_text, "output": state.output.completion}
    return Example(text, fields=fields, images=images)


def _check_classes(wanted: Sequence[str], classes: Sequence[str]) -> None:
    known = f"its classes are {', '.join(classes)}."
    if not wanted:
        raise InputError(
            f"The sample has no target, so no class is expected of the classifier; {known} Give "
            "samples a target, or the scorer expected=CLASS."
        )
    unknown = [name for name in wanted if name not in classes]
    if unknown:
        raise InputError(f"The classifier does not know the expected class {unknown[0]!r}; {known}")
