"""What answers items: a reward model, a classifier or a task vector, many items in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from headwise.content import Content, parts_of
from headwise.content.turns import Message
from headwise.engines.base import Sampling
from headwise.errors import ActivationError, InputError
from headwise.examples import Example, Prompt, Response
from headwise.methods.reward_asking import AskedRows, ask
from headwise.methods.reward_judging import judge
from headwise.methods.reward_model import RewardModel
from headwise.methods.truncation import TextCutter
from headwise.prompts.conversation import Conversation
from headwise.server.shelf import ServedArtifact, ServedClassifier, ServedReward, ServedTask

TOKENS_OF_PICTURE = 256
# What a prompt puts around an item: the chat template, the question.
TOKENS_OF_PROMPT = 48
_BYTES_OF_TOKEN = 4


@dataclass(frozen=True, slots=True)
class JudgedGroup:
    """Responses to one prompt that are scored together: one, or all that are compared.

    Args:
        prompt: The prompt.
        responses: Its responses.
    """

    prompt: Prompt
    responses: tuple[Response, ...]

    def contents(self) -> list[Content]:
        """Everything the model is shown of it."""
        turns = [self.prompt] if isinstance(self.prompt, str) else list(self.prompt)
        shown = [turn.content if isinstance(turn, Message) else turn for turn in turns]
        return [*(c for c in shown if isinstance(c, str | tuple)), *self.responses]


@dataclass(frozen=True, slots=True)
class Scored:
    """The rewards of a group.

    Args:
        criteria: Those of each criterion, one a response.
        weights: What each criterion counts.
        truncated: Whether a text was cut.
    """

    criteria: Mapping[str, tuple[float, ...]]
    weights: Mapping[str, float]
    truncated: bool

    @property
    def rewards(self) -> tuple[float, ...]:
        """The weighted sums of the criteria, one a response; as `headwise.Rewards` has them."""
        counted = [[self.weights[n] * r for r in found] for n, found in self.criteria.items()]
        return tuple(sum(row) for row in zip(*counted, strict=True))


@dataclass(frozen=True, slots=True)
class Classified:
    """What a classifier says of one example.

    Args:
        decisions: Decision values, one a class.
        probabilities: Calibrated, one a class.
        truncated: Whether a text was cut.
    """

    decisions: tuple[float, ...]
    probabilities: tuple[float, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """A task vector's answers to the inputs that belong together.

    Args:
        texts: One an input.
    """

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RewardRunner:
    """Scores groups of responses.

    Args:
        served: The reward model.
        most_tokens: Of a text; a group with a longer one fails. No limit where None.
    """

    served: ServedReward
    most_tokens: int | None = None

    def run(self, payloads: Sequence[JudgedGroup]) -> list[Scored | Exception]:
        """The rewards of each group."""
        contents = [group.contents() for group in payloads]
        outcomes = _too_long(self.served, contents, self.most_tokens)
        rows = [row for row, outcome in enumerate(outcomes) if outcome is None]
        values = self._values([payloads[row] for row in rows])
        for row, criteria in zip(rows, values, strict=True):
            truncated = self.served.watch.has_cut(_texts(contents[row]))
            found = Scored(criteria, self.served.weights, truncated)
            outcomes[row] = found if np.isfinite(found.rewards).all() else _not_finite()
        return [_there(outcome) for outcome in outcomes]

    def _values(self, groups: Sequence[JudgedGroup]) -> list[dict[str, tuple[float, ...]]]:
        self.served.watch.forget()
        found: list[dict[str, tuple[float, ...]]] = [{} for _ in groups]
        if not groups:
            return found
        asked = {name: _Asked.of(model, groups) for name, model in self.served.criteria.items()}
        questions = [
            self.served.criteria[name].questions(one.conversations) for name, one in asked.items()
        ]
        # All criteria in one call, which reads what they begin with alike once.
        judged = judge(self.served.watch.as_engine, questions)
        for (name, one), judgements in zip(asked.items(), judged, strict=True):
            for criteria, rewards in zip(found, one.rewards(judgements.values), strict=True):
                criteria[name] = rewards
        return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one criterion asks about groups of responses.

    Groups are asked about apart: two requests that ask the same are not compared with each other.

    Args:
        groups: One a group.
    """

    groups: tuple[AskedRows, ...]

    @classmethod
    def of(cls, model: RewardModel, groups: Sequence[JudgedGroup]) -> _Asked:
        cutter = TextCutter(model.engine, model.max_text_tokens)
        return cls(
            tuple(
                ask(model.prompt, [group.prompt] * len(group.responses), group.responses, cutter)
                for group in groups
            )
        )

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        return tuple(one for group in self.groups for one in group.conversations)

    def rewards(self, values: Tensor) -> list[tuple[float, ...]]:
        """One a response of each group."""
        parts = values.split([len(group.conversations) for group in self.groups])
        return [
            tuple(group.of_rows(part).tolist())
            for group, part in zip(self.groups, parts, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class ClassRunner:
    """Classifies examples.

    Args:
        served: The classifier.
        most_tokens: Of a text; an example with a longer one fails. No limit where None.
    """

    served: ServedClassifier
    most_tokens: int | None = None

    def run(self, payloads: Sequence[Example]) -> list[Classified | Exception]:
        """The classes of each example."""
        shown = [_shown(example) for example in payloads]
        outcomes = _too_long(self.served, shown, self.most_tokens)
        rows = [row for row, outcome in enumerate(outcomes) if outcome is None]
        self.served.watch.forget()
        if rows:
            decisions = self.served.model.decision_function([payloads[row] for row in rows])
            probabilities = self.served.model.probabilities(decisions)
            for number, row in enumerate(rows):
                found = Classified(
                    tuple(decisions[number].tolist()),
                    tuple(probabilities[number].tolist()),
                    self.served.watch.has_cut(_texts(shown[row])),
                )
                is_finite = bool(np.isfinite(decisions[number]).all())
                outcomes[row] = found if is_finite else _not_finite()
        return [_there(outcome) for outcome in outcomes]


@dataclass(frozen=True, slots=True)
class TaskRunner:
    """Answers inputs by a task vector.

    Args:
        served: The task vector.
        sampling: How tokens are picked.
        most_tokens: Of a text; an input with a longer one fails. No limit where None.
        request: With a temperature, what is drawn depends on what else is in the call; then a
            number of the request, so that requests do not mix.
    """

    served: ServedTask
    sampling: Sampling
    most_tokens: int | None = None
    request: int = 0

    def run(self, payloads: Sequence[tuple[Example, ...]]) -> list[Answered | Exception]:
        """The answers to each group of inputs."""
        shown = [[part for one in group for part in _shown(one)] for group in payloads]
        outcomes = _too_long(self.served, shown, self.most_tokens)
        rows = [row for row, outcome in enumerate(outcomes) if outcome is None]
        self.served.watch.forget()
        inputs = [example for row in rows for example in payloads[row]]
        texts = self.served.model.generate(inputs, self.sampling) if inputs else []
        start = 0
        for row in rows:
            end = start + len(payloads[row])
            outcomes[row] = Answered(tuple(texts[start:end]))
            start = end
        return [_there(outcome) for outcome in outcomes]


def rough_tokens(contents: Sequence[Content]) -> int:
    """About how many tokens contents have: cheap, and enough to bound a queue and a batch."""
    n_bytes = sum(len(text.encode("utf-8", "replace")) for text in _texts(contents))
    pictures = sum(not isinstance(part, str) for c in contents for part in parts_of(c))
    return TOKENS_OF_PROMPT + n_bytes // _BYTES_OF_TOKEN + pictures * TOKENS_OF_PICTURE


def example_tokens(example: Example) -> int:
    """About how many tokens an example has."""
    return rough_tokens(_shown(example))


def _shown(example: Example) -> list[Content]:
    return [example.text, *example.fields.values(), *((one,) for one in example.images)]


def _texts(contents: Sequence[Content]) -> list[str]:
    return [part for content in contents for part in parts_of(content) if isinstance(part, str)]


def _too_long(
    served: ServedArtifact, contents: Sequence[Sequence[Content]], most_tokens: int | None
) -> list[Any]:
    """An error for each item with a text that is too long, None for each other one."""
    found: list[Any] = [None] * len(contents)
    if most_tokens is None:
        return found
    for row, item in enumerate(contents):
        # A token is one byte at least, so that most texts need no tokenizer.
        long = [text for text in _texts(item) if len(text.encode("utf-8")) > most_tokens]
        removed = [served.watch.truncate(text, most_tokens).n_tokens_removed for text in long]
        if any(removed):
            found[row] = InputError(
                f"A text has {max(removed)} tokens more than the server's limit of {most_tokens}."
            )
    return found


def _not_finite() -> ActivationError:
    return ActivationError("The model gave NaN or infinity for this item.")


def _there(outcome: Any) -> Any:
    return outcome if outcome is not None else RuntimeError("An item was left out.")
