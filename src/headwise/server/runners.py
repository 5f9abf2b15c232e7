"""What answers items: a reward model, a classifier or a task vector, many items in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from headwise.content import Content, parts_of
from headwise.content.turns import Message
from headwise.engines.base import Sampling
from headwise.errors import ActivationError, InputError
from headwise.examples import Example, Preference, Prompt, Response
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
        rewards: One a response.
        truncated: Whether a text was cut.
    """

    rewards: tuple[float, ...]
    truncated: bool


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
        for row, rewards in zip(rows, values, strict=True):
            truncated = self.served.watch.has_cut(_texts(contents[row]))
            outcomes[row] = (
                Scored(rewards, truncated) if np.isfinite(rewards).all() else _not_finite()
            )
        return [_there(outcome) for outcome in outcomes]

    def _values(self, groups: Sequence[JudgedGroup]) -> list[tuple[float, ...]]:
        self.served.watch.forget()
        if not groups:
            return []
        model = self.served.model
        if model.form == "scalar":
            prompts = [group.prompt for group in groups for _ in group.responses]
            responses = [response for group in groups for response in group.responses]
            flat = model.score(prompts, responses).tolist()
            ends = np.cumsum([len(group.responses) for group in groups]).tolist()
            return [
                tuple(flat[end - len(group.responses) : end])
                for end, group in zip(ends, groups, strict=True)
            ]
        # As the ranked `score` does it, but with groups of one prompt kept apart: two requests that
        # ask the same are not compared with each other.
        pairs = [
            Preference(group.prompt, group.responses[a], group.responses[b])
            for group in groups
            for a, b in combinations(range(len(group.responses)), 2)
        ]
        margins = iter(model.margins(pairs).tolist())
        return [_mean_margins(len(group.responses), margins) for group in groups]


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


def _mean_margins(n: int, margins: Iterator[float]) -> tuple[float, ...]:
    if n < 2:
        raise InputError(
            "This reward model compares responses to one prompt with each other; give several "
            "responses to each prompt in one request."
        )
    rewards = [0.0] * n
    for a, b in combinations(range(n), 2):
        margin = next(margins)
        rewards[a] += margin
        rewards[b] -= margin
    return tuple(reward / (n - 1) for reward in rewards)


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
