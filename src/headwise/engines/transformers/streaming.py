"""An answer piece by piece while it is generated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from queue import Queue
from threading import Event, Thread
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from headwise.engines.base import Sampling
from headwise.engines.transformers.frozen import FrozenModel
from headwise.engines.transformers.generation import (
    PromptRow,
    generate_ids,
    own_settings_aside,
    text_of,
)
from headwise.engines.transformers.modes import evaluation_mode
from headwise.engines.transformers.sampling import row_seeds
from headwise.engines.transformers.tokens import PromptEncoder
from headwise.heads import Steering

_BROKEN_CHARACTER = "\ufffd"


def stream_text(
    frozen: FrozenModel,
    encoder: PromptEncoder,
    prompt: Sequence[int],
    sampling: Sampling,
    steering: Steering | None,
) -> Iterator[str]:
    """Generates a continuation of a prompt, piece by piece.

    The model runs in a thread of its own, which begins with the first piece asked for and has
    ended, with everything of it removed from the model, when the iterator has.

    Args:
        frozen: The model.
        encoder: Its tokenizer.
        prompt: Token ids.
        sampling: How tokens are picked.
        steering: Heads to steer.

    Yields:
        Pieces of text, none of them empty.
    """
    tokens = _TokenQueue()
    stopped = Event()
    [seed] = row_seeds(sampling.seed, [prompt])

    def generate() -> None:
        try:
            with evaluation_mode(frozen.model), own_settings_aside(frozen.model, frozen.pad_id):
                row = PromptRow(prompt, seed)
                stopping = [_Stopped(stopped)]
                generate_ids(frozen, encoder, [row], sampling, steering, tokens, stopping)
        except BaseException as error:  # Raised again where the pieces are read.
            tokens.fail(error)

    thread = Thread(target=generate, name="headwise-stream", daemon=True)
    thread.start()
    try:
        yield from _pieces(tokens, frozen, encoder, sampling)
    finally:
        stopped.set()
        thread.join()


def _pieces(
    tokens: _TokenQueue, frozen: FrozenModel, encoder: PromptEncoder, sampling: Sampling
) -> Iterator[str]:
    ids: list[int] = []
    said = 0
    for token in tokens:
        ids.append(token)
        text = text_of(frozen, encoder, ids, sampling)
        end = _settled(text, sampling.stop)
        if end > said:
            yield text[said:end]
            said = end
    rest = text_of(frozen, encoder, ids, sampling)[said:]
    if rest:
        yield rest


def _settled(text: str, stop: tuple[str, ...]) -> int:
    """How many characters no later token can change or cut off."""
    # A character of several tokens is broken until its last one; some tokenizers take back a space.
    end = len(text.rstrip(_BROKEN_CHARACTER).rstrip())
    begun = (
        end - length
        for phrase in stop
        for length in range(1, min(len(phrase), end) + 1)
        if phrase.startswith(text[end - length : end])
    )
    return min(begun, default=end)


class _Stopped(StoppingCriteria):
    """Ends a generation when nobody reads it any more."""

    def __init__(self, stopped: Event) -> None:
        self._stopped = stopped

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        return torch.full((len(input_ids),), self._stopped.is_set(), device=input_ids.device)


class _TokenQueue(BaseStreamer):
    """Hands generated tokens from the thread of the model to that of the reader."""

    def __init__(self) -> None:
        self._queue: Queue[int | BaseException | None] = Queue()
        self._prompt_seen = False

    def put(self, value: Tensor) -> None:
        """Takes the prompt first, which is left out, then each token."""
        if self._prompt_seen:
            self._queue.put(int(value.flatten()[-1]))
        self._prompt_seen = True

    def end(self) -> None:
        """Nothing follows."""
        self._queue.put(None)

    def fail(self, error: BaseException) -> None:
        """Nothing follows, since generating failed."""
        self._queue.put(error)

    def __iter__(self) -> Iterator[int]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
