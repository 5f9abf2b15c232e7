"""An engine that steers whatever is run through it, for as long as it is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from torch import Tensor

from headwise.engines.base import (
    Engine,
    ModelFingerprint,
    Sampling,
    StreamingEngine,
    TruncatedText,
)
from headwise.errors import EngineError, InputError
from headwise.heads import HeadActivations, HeadLayout, HeadSet, HeadVectors, Steering, Steerings
from headwise.prompts.conversation import Conversation


@dataclass(slots=True)
class SteeredEngine:
    """Wraps an engine: it generates, streams and scores with a steering; nothing else runs.

    The engine protocol cannot read or search heads while steering, so `capture` and `mask_losses`
    raise instead of giving what the unsteered model would. The wrapped engine itself is left as it
    is.

    Args:
        engine: The engine to run.
        steering: What is put back in every run.
        is_open: Whether it may be used; `close` ends that.
    """

    engine: Engine
    steering: Steering
    is_open: bool = True

    @property
    def fingerprint(self) -> ModelFingerprint:
        """What model this is."""
        return self.engine.fingerprint

    @property
    def layout(self) -> HeadLayout:
        """The heads the model has."""
        return self.engine.layout

    def close(self) -> None:
        """Ends the use; every run after it is an error."""
        self.is_open = False

    def token_logprobs(
        self,
        conversations: Sequence[Conversation],
        candidates: Sequence[str],
        steering: Steerings = None,
        *,
        progress: bool = False,
    ) -> Tensor:
        """Steered log-probabilities; see `Engine.token_logprobs`.

        Raises:
            InputError: A steering is given as well.
            EngineError: The block that made this engine has ended.
        """
        chosen = self._only(steering)
        return self.engine.token_logprobs(conversations, candidates, chosen, progress=progress)

    def generate(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling | None = None,
        steering: Steering | None = None,
        *,
        progress: bool = False,
    ) -> list[str]:
        """Steered answers; see `Engine.generate`.

        Raises:
            InputError: A steering is given as well.
            EngineError: The block that made this engine has ended.
        """
        chosen = self._only(steering)
        return self.engine.generate(conversations, sampling, chosen, progress=progress)

    def stream(
        self,
        conversation: Conversation,
        sampling: Sampling | None = None,
        steering: Steering | None = None,
    ) -> Iterator[str]:
        """A steered answer piece by piece; see `StreamingEngine.stream`.

        Raises:
            InputError: A steering is given as well.
            EngineError: The block that made this engine has ended, or the engine cannot stream.
        """
        chosen = self._only(steering)
        if not isinstance(self.engine, StreamingEngine):
            raise EngineError(
                f"{type(self.engine).__name__} gives whole answers only. Use generate, or an "
                "engine with stream (the transformers engine)."
            )
        return self.engine.stream(conversation, sampling, chosen)

    def capture(
        self,
        conversations: Sequence[Conversation],
        heads: HeadSet | None = None,
        *,
        progress: bool = False,
    ) -> HeadActivations:
        """Not possible while steering.

        Raises:
            EngineError: Always.
        """
        self._refuse("capture")

    def mask_losses(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        vectors: HeadVectors,
        masks: Tensor,
        *,
        target_tokens: int | None = 1,
        among: Sequence[str] | None = None,
        progress: bool = False,
    ) -> Tensor:
        """Not possible while steering.

        Raises:
            EngineError: Always.
        """
        self._refuse("mask_losses")

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        """Cuts a text to a token budget; see `Engine.truncate`."""
        return self.engine.truncate(text, max_tokens)

    def _only(self, steering: Steerings) -> Steering:
        if not self.is_open:
            raise EngineError(
                "This steered engine was used after its `with` block; run inside the block, or "
                "open another one with applied()."
            )
        if steering is not None:
            raise InputError(
                "The engine inside the `with` block steers already, so it takes no steering of its "
                "own. Leave it out, or give it to the engine outside the block."
            )
        return self.steering

    def _refuse(self, verb: str) -> NoReturn:
        raise EngineError(
            f"{verb} cannot be run while a task vector is applied: it would give what the "
            f"unsteered model does. Call {verb} on the engine outside the `with` block."
        )
