"""Chooses worked examples for a prompt: balanced over labels, as many as fit, in a seeded order."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedModel

from headwise.engines.base import Engine
from headwise.engines.open_model import TokenCounter
from headwise.errors import InputError
from headwise.examples import Example
from headwise.prompts.conversation import Conversation

# Of a model whose tokens are not known: more than English texts and most pictures take.
_CHARACTERS_PER_TOKEN = 3
_TOKENS_PER_IMAGE = 1_000

WithShots = Callable[[Sequence[Example], Example], Conversation]
"""Makes a prompt of worked examples and the one that is asked."""


class DroppedShotsWarning(UserWarning):
    """Some worked examples were left out because the prompt had no room for them."""


@dataclass(frozen=True, slots=True)
class ShotCounts:
    """What became of the worked examples.

    Args:
        n_shots: How many the prompt shows.
        n_dropped: How many were left out because they did not fit.
        n_tokens: How many tokens the shown ones take; estimated where the engine counts none.
    """

    n_shots: int = 0
    n_dropped: int = 0
    n_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ShotBudget:
    """How many worked examples a prompt may show.

    Args:
        most: At most so many; as many as fit where None.
        max_tokens: Tokens that all of them may take; half the model's context window where that
            is less. Of a server's model they are estimated from above: a token for three
            characters, 1,000 for an image.
        seed: Seed of which are shown, and in which order.

    Raises:
        InputError: A value is out of range.
    """

    most: int | None = None
    max_tokens: int = 8_192
    seed: int = 0

    def __post_init__(self) -> None:
        if self.most is not None and self.most < 1:
            raise InputError(f"A prompt shows one example at least; got {self.most}.")
        if self.max_tokens < 1:
            raise InputError(f"max_tokens is 1 at least; got {self.max_tokens}.")

    def choose(
        self, engine: Engine, examples: Sequence[Example], with_shots: WithShots
    ) -> tuple[tuple[Example, ...], ShotCounts]:
        """Picks worked examples, a round over all labels at a time.

        One that does not fit is left out, and shorter ones after it still get their turn; a
        warning tells how many were.

        Args:
            engine: Whose tokens are counted.
            examples: The examples, with labels.
            with_shots: How they are put to the model.

        Returns:
            The examples in the order in which they are shown, and their counts.
        """
        order = balanced_order([str(example.label) for example in examples], self.seed)
        costs = _costs(engine, examples, with_shots)
        room = min(self.max_tokens, half_window(engine))
        shown: list[int] = []
        n_dropped = n_tokens = 0
        for row in order:
            if self.most is not None and len(shown) == self.most:
                break
            if n_tokens + costs[row] > room:
                n_dropped += 1
                continue
            shown.append(row)
            n_tokens += costs[row]
        if n_dropped:
            warnings.warn(
                f"{n_dropped} of {len(examples)} worked examples do not fit into {room} tokens "
                "and are left out of the prompt.",
                DroppedShotsWarning,
                stacklevel=3,
            )
        return tuple(examples[row] for row in shown), ShotCounts(len(shown), n_dropped, n_tokens)


def balanced_order(labels: Sequence[str], seed: int) -> list[int]:
    """An order of rows in which every beginning is as balanced over labels as can be.

    Args:
        labels: One label a row.
        seed: Seed of the order within a label, and of the labels within each round.

    Returns:
        All row numbers.
    """
    random = np.random.default_rng(seed)
    waiting: dict[str, list[int]] = {}
    for row in random.permutation(len(labels)).tolist():
        waiting.setdefault(labels[row], []).append(row)
    names, order = sorted(waiting), []
    while len(order) < len(labels):
        for number in random.permutation(len(names)).tolist():
            if waiting[names[number]]:
                order.append(waiting[names[number]].pop())
    return order


def _costs(engine: Engine, examples: Sequence[Example], with_shots: WithShots) -> list[int]:
    """How many tokens each example adds to a prompt."""
    alone = prompt_tokens(engine, [with_shots((), example) for example in examples])
    both = prompt_tokens(engine, [with_shots((example,), example) for example in examples])
    return [two - one for one, two in zip(alone, both, strict=True)]


def prompt_tokens(engine: Engine, conversations: Sequence[Conversation]) -> list[int]:
    """How many tokens conversations have; estimated from above where the engine counts none."""
    if isinstance(engine, TokenCounter):
        return engine.count_tokens(conversations)
    return [
        sum(len(turn.text) for turn in conversation.messages) // _CHARACTERS_PER_TOKEN
        + _TOKENS_PER_IMAGE * len(conversation.images)
        for conversation in conversations
    ]


def half_window(engine: Engine) -> float:
    """Half of the context window of an engine's model; infinite where that is not known."""
    model = getattr(engine, "model", None)
    if not isinstance(model, PreTrainedModel):
        return float("inf")
    config = model.config.get_text_config(decoder=True)
    window = getattr(config, "max_position_embeddings", None)
    return window // 2 if isinstance(window, int) and window > 1 else float("inf")
