"""A fake engine whose heads hold the numbers that a text names, for what learns from heads.

It runs no model, so hundreds of fits cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from headwise.engines.base import ModelFingerprint, TruncatedText
from headwise.heads import HeadActivations, HeadLayout, HeadSet, LayerHeads
from headwise.prompts.conversation import Conversation

LAYOUT = HeadLayout((LayerHeads(0, 2, 6), LayerHeads(3, 3, 4)))
_MOST_NUMBERS = 64


class NumberEngine:
    """Every head is a fixed map of the numbers in the user's turn."""

    layout = LAYOUT

    def __init__(self) -> None:
        self.fingerprint = ModelFingerprint("numbers", None, "", "", "", "", "")
        self.shown: list[Conversation] = []
        generator = torch.Generator().manual_seed(0)
        self._maps = [
            torch.randn(_MOST_NUMBERS + 1, e.n_heads * e.head_dim, generator=generator)
            for e in LAYOUT.layers
        ]

    def capture(
        self,
        conversations: Sequence[Conversation],
        heads: HeadSet | None = None,
        *,
        progress: bool = False,
    ) -> HeadActivations:
        self.shown += conversations
        rows = torch.zeros(len(conversations), _MOST_NUMBERS + 1)
        rows[:, -1] = 1.0
        for row, conversation in zip(rows, conversations, strict=True):
            found = [float(word) for word in conversation.messages[-1].text.split()]
            row[: len(found)] = torch.tensor(found) / 4
        values = [
            torch.tanh(rows @ head_map / 4).view(len(rows), e.n_heads, e.head_dim)
            for e, head_map in zip(LAYOUT.layers, self._maps, strict=True)
        ]
        whole = HeadActivations(LAYOUT, tuple(values))
        if heads is None:
            return whole
        layout = LAYOUT.restricted_to(heads.layers)
        return HeadActivations(layout, tuple(whole.layer(entry.layer) for entry in layout.layers))

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        return TruncatedText(text, 0)

    def refuse(self, *args: object, **options: object) -> object:
        raise AssertionError("Only heads are needed here.")

    token_logprobs = mask_losses = generate = refuse

    def __deepcopy__(self, memo: object) -> object:
        raise AssertionError("A model was copied.")
