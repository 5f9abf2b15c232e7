"""Verbs of engines that hold the model itself, beyond those of `Engine`: hidden states, gradients.

Baselines need them, methods do not. A server has none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from headwise.engines.base import Engine
from headwise.prompts.conversation import Conversation


@runtime_checkable
class HiddenStateEngine(Engine, Protocol):
    """An engine that can also say what its output embedding is given."""

    def hidden_states(
        self, conversations: Sequence[Conversation], *, progress: bool = False
    ) -> Tensor:
        """The model's last hidden state at each conversation's last token.

        It is the state after the final norm, as transformers has it in `hidden_states[-1]`: what
        the output embedding turns into logits.

        Args:
            conversations: `n` conversations.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n, hidden)` float32 on the CPU.

        Raises:
            ActivationError: The model produced NaN or infinite values.
        """
        ...


@runtime_checkable
class TokenCounter(Protocol):
    """What an engine is that knows how many tokens its model reads."""

    def count_tokens(self, conversations: Sequence[Conversation]) -> list[int]:
        """How many tokens the model reads of each conversation, its images included.

        Args:
            conversations: `n` conversations.

        Returns:
            `n` numbers.
        """
        ...


@runtime_checkable
class DifferentiableEngine(Engine, TokenCounter, Protocol):
    """An engine through which gradients reach weights that someone added to its model."""

    @property
    def model(self) -> nn.Module:
        """The model; whoever changes it leaves it as it was."""
        ...

    def differentiable_logprobs(
        self, conversations: Sequence[Conversation], candidates: Sequence[Sequence[str]]
    ) -> list[Tensor]:
        """As `token_logprobs`, with candidates of each conversation's own, and with gradients.

        No prefix is shared or kept, so that gradients reach every token. They are recorded where
        the caller has them on.

        Args:
            conversations: `n` conversations.
            candidates: `n` times continuations, one at least.

        Returns:
            `n` float32 tensors on the model's device, one value a candidate.

        Raises:
            InputError: Counts differ, or there is no candidate or an empty one.
        """
        ...

    def forget_prefixes(self) -> None:
        """Frees what is kept from one call to the next, as it must be when weights change."""
        ...
