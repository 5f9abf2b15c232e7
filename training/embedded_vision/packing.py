"""Rows of tokens: many exchanges about one picture behind its tokens, which are run only once.

Every exchange sees what comes before all of them and itself, by a block mask; its positions go on
from there. So each reads exactly what it would read alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from headwise.engines.embedded_vision import NEW_TOKENS
from training.embedded_vision.dialogues import Exchange
from training.embedded_vision.geometry import CELLS

IMAGE_TOKENS = NEW_TOKENS
"""The tokens that are added to the language model's, as `Idefics3Processor` names them."""
_SYSTEM = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n"
)
_USER, _TURN = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
_END = "<|im_end|>"
_SHARED = 0


@dataclass
class Row:
    """Tokens of one row.

    Args:
        tokens: Their numbers; those of an image are to be replaced.
        positions: Where each is in what it reads.
        segments: 0 for what all exchanges share, else which exchange it belongs to.
        weights: How much it counts to predict each token; 0 for what is given.
        tasks: What each segment asks for.
    """

    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    tasks: list[str] = field(default_factory=lambda: ["shared"])

    def add(self, tokens: Sequence[int], segment: int, start: int, weight: float = 0.0) -> None:
        """Appends tokens of a segment, whose first has a position."""
        self.tokens += tokens
        self.positions += range(start, start + len(tokens))
        self.segments += [segment] * len(tokens)
        self.weights += [weight] * len(tokens)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of equal length.

    Args:
        tokens: `(rows, length)`.
        positions: `(rows, length)`.
        mask: What is added to attention, `(rows, 1, length, length)`.
        segments: `(rows, length)`; -1 for padding.
        weights: `(rows, length)`.
        tasks: What each segment of each row asks for.
    """

    tokens: Tensor
    positions: Tensor
    mask: Tensor
    segments: Tensor
    weights: Tensor
    tasks: list[list[str]]


class Packer:
    """Makes rows with a tokenizer that knows the image tokens.

    Args:
        tokenizer: The tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        around, image, _, whole = tokenizer.convert_tokens_to_ids(list(IMAGE_TOKENS))
        self.image_token = image
        self._image = [around, whole, *[image] * CELLS, around]

    def about_one_image(self, exchanges: Sequence[Exchange]) -> Row:
        """Exchanges that share a picture."""
        row = Row()
        row.add([*self.encode(_SYSTEM + _USER), *self._image], _SHARED, 0)
        start = len(row.tokens)
        for number, exchange in enumerate(exchanges, 1):
            prompt = self.encode(exchange.prompt + _TURN)
            row.add(prompt, number, start)
            self._answer(row, exchange.answer + _END, number, start + len(prompt), exchange.times)
            row.tasks.append(exchange.task)
        return row

    def turns(self, exchanges: Sequence[Exchange], first: bool) -> Row:
        """A chat with a picture in each turn.

        Args:
            exchanges: The turns.
            first: Whether the first answer counts.
        """
        row = Row()
        row.add(self.encode(_SYSTEM), _SHARED, 0)
        for number, exchange in enumerate(exchanges, 1):
            opening = [*self.encode(_USER), *self._image, *self.encode(exchange.prompt + _TURN)]
            row.add(opening, _SHARED, len(row.tokens))
            self._shot(row, exchange.answer + _END, first or number > 1)
            row.add(self.encode("\n"), _SHARED, len(row.tokens))
            row.tasks.append(exchange.task)
        return row

    def completion(self, exchanges: Sequence[Exchange], first: bool) -> Row:
        """Plain text with a picture before each question, as `InContextPrompt` writes it."""
        row = Row()
        for number, exchange in enumerate(exchanges, 1):
            text = f"Q: {exchange.prompt}\nA:" if exchange.prompt else "A:"
            row.add([*self._image, *self.encode(text)], _SHARED, len(row.tokens))
            self._shot(row, f" {exchange.answer}", first or number > 1)
            weight = 0.3 if first or number > 1 else 0.0
            row.add(self.encode("\n\n"), _SHARED, len(row.tokens), weight)
            row.tasks.append(exchange.task)
        return row

    def chat(self, prompt: str, answer: str) -> Row:
        """A chat without pictures."""
        row = Row()
        row.add(self.encode(_SYSTEM + _USER + prompt + _TURN), _SHARED, 0)
        self._answer(row, answer + _END, _SHARED, len(row.tokens))
        return row

    def encode(self, text: str) -> list[int]:
        """A text as tokens."""
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """Tokens as a text, up to the end of a turn."""
        text: str = self._tokenizer.decode(tokens)
        return text.split(_END)[0]

    def _shot(self, row: Row, answer: str, counts: bool) -> None:
        self._answer(row, answer, _SHARED, len(row.tokens), 1.0 if counts else 0.0)

    def _answer(self, row: Row, answer: str, segment: int, start: int, times: float = 1.0) -> None:
        """Tokens to predict; a long answer counts more than a short one, but not for each token."""
        tokens = self.encode(answer)
        row.add(tokens, segment, start, times * len(tokens) ** -0.5)


def batched(rows: Sequence[Row], dtype: torch.dtype, padding: int = 2) -> Batch:
    """Pads rows to one length.

    Args:
        rows: The rows.
        dtype: The type of the mask.
        padding: The token to pad with.

    Returns:
        The batch.
    """
    length = max(len(row.tokens) for row in rows)

    def padded(values: Sequence[float], fill: float) -> list[float]:
        return [*values, *[fill] * (length - len(values))]

    segments = torch.tensor([padded(row.segments, -1) for row in rows]).long()
    seen = (segments[:, :, None] == segments[:, None, :]) | (segments[:, None, :] == _SHARED)
    seen &= torch.ones(length, length).tril().bool()
    # A padding token sees itself: a row of attention over nothing would be undefined.
    seen |= torch.eye(length).bool()
    mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
    return Batch(
        torch.tensor([padded(row.tokens, padding) for row in rows]).long(),
        torch.tensor([padded(row.positions, 0) for row in rows]).long(),
        mask[:, None],
        segments,
        torch.tensor([padded(row.weights, 0) for row in rows]),
        [row.tasks for row in rows],
    )
