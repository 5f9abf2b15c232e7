"""A fake engine that sees the color of pictures, for tests of what methods do with them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from headwise.content import Image, as_image
from headwise.content.parts import parts_of
from headwise.engines.base import ModelFingerprint, Sampling, TruncatedText
from headwise.heads import (
    HeadActivations,
    HeadIndex,
    HeadLayout,
    HeadSet,
    HeadVectors,
    LayerHeads,
    Steering,
)
from headwise.prompts.conversation import Conversation

LAYOUT = HeadLayout((LayerHeads(0, 3, 4), LayerHeads(2, 3, 4)))
SEEING = (HeadIndex(0, 1), HeadIndex(2, 2))
COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def colored(name: str, shade: int = 0) -> Image:
    """A picture of one color; those of other shades are other pictures."""
    pixels = np.full((8, 8, 3), shade, np.uint8)
    return as_image(np.maximum(pixels, np.array(COLORS[name], np.uint8)))


def color_of(image: Image) -> str:
    """The color that a picture shows most of."""
    means = np.asarray(image.load()).mean(axis=(0, 1))
    return list(COLORS)[int(means.argmax())]


def said(conversation: Conversation) -> str:
    """All that a conversation shows, pictures by their color."""
    contents = [m.content for m in conversation.messages] or [conversation.text or ""]
    return "\n---\n".join(
        "".join(p if isinstance(p, str) else f"<{color_of(p)}>" for p in parts_of(content))
        for content in contents
    )


class SeeingEngine:
    """Two heads hold the color of the last picture, the others noise that the prompt decides.

    Where a response to be judged names a color, the two hold whether it is that of the picture.
    """

    layout = LAYOUT
    fingerprint = ModelFingerprint("seeing", None, "Seeing", "l", "w", "t", "float32")

    def __init__(self) -> None:
        self.shown: list[Conversation] = []

    def capture(
        self,
        conversations: Sequence[Conversation],
        heads: HeadSet | None = None,
        *,
        progress: bool = False,
    ) -> HeadActivations:
        self.shown += conversations
        values = torch.stack([self._activations(c) for c in conversations])
        return HeadActivations(LAYOUT, (values[:, :3], values[:, 3:]))

    def token_logprobs(
        self,
        conversations: Sequence[Conversation],
        candidates: Sequence[str],
        steering: Steering | None = None,
        *,
        progress: bool = False,
    ) -> Tensor:
        self.shown += conversations
        colors = [color_of(c.images[-1]) if c.images else "" for c in conversations]
        rows = [[0.0 if name.strip() == color else -3.0 for name in candidates] for color in colors]
        return torch.tensor(rows, dtype=torch.float64)

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
        self.shown += conversations
        good = torch.tensor([index in SEEING for index in LAYOUT])
        losses = 2.0 - masks[:, good].float().sum(1) * 0.5 + masks[:, ~good].float().sum(1) * 0.2
        return losses[:, None].expand(-1, len(conversations)).clone()

    def generate(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling | None = None,
        steering: Steering | None = None,
        *,
        progress: bool = False,
    ) -> list[str]:
        self.shown += conversations
        return [color_of(c.images[-1]) if c.images else "nothing" for c in conversations]

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        words = text.split(" ")
        excess = len(words) - max_tokens
        if excess <= 0:
            return TruncatedText(text, 0)
        return TruncatedText(" ".join([*words[: max_tokens - 1], words[-1]]), excess)

    def _activations(self, conversation: Conversation) -> Tensor:
        text = said(conversation)
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        random = torch.Generator().manual_seed(seed)
        values = torch.randn(6, 4, generator=random)
        for position, index in enumerate(LAYOUT):
            if index in SEEING:
                values[position] = self._seen(conversation, text) + values[position] * 0.05
        return values

    def _seen(self, conversation: Conversation, text: str) -> Tensor:
        if not conversation.images:
            return torch.zeros(4)
        color = color_of(conversation.images[-1])
        if "Response:" in text:
            return torch.ones(4) * (1.0 if f"Response: {color}" in text else -1.0)
        if "Response A:" in text:
            return torch.ones(4) * (1.0 if f"Response A: {color}" in text else -1.0)
        return torch.eye(4)[list(COLORS).index(color)] * 3
