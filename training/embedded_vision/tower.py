"""The vision tower with its connector and, in training only, heads that say what a token tells."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import Idefics3VisionConfig
from transformers.models.idefics3.modeling_idefics3 import Idefics3VisionTransformer

from headwise.scenes.vocabulary import COLORS, MOST_OBJECTS, SHAPES, SIZES, TEXTURES
from training.embedded_vision.drawing import RESOLUTION, WORDS
from training.embedded_vision.geometry import GRID

PATCH = 8
SHUFFLE = RESOLUTION // PATCH // GRID
"""Patches to a side of a token."""

HEADS: dict[str, int] = {
    "filled": 1,
    "size": len(SIZES),
    "texture": len(TEXTURES),
    "color": len(COLORS),
    "shape": len(SHAPES),
    "place": 2,
    "label": 1 + len(WORDS),
    "link": MOST_OBJECTS + 1,
    "directions": 5 * MOST_OBJECTS,
}
"""What is predicted of a token, and with how many outputs."""


def vision_config(width: int = 192, layers: int = 8) -> Any:
    """The tower's configuration.

    Args:
        width: Its width, a multiple of 32.
        layers: How many layers.

    Returns:
        The configuration.
    """
    config = Idefics3VisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        image_size=RESOLUTION,
        patch_size=PATCH,
    )
    config._attn_implementation = "sdpa"
    return config


class Tower(nn.Module):
    """Tower, connector and heads.

    Args:
        config: The tower's configuration.
        text_width: The language model's width.
    """

    def __init__(self, config: Any, text_width: int) -> None:
        super().__init__()
        self.vision = Idefics3VisionTransformer(config)
        joined = config.hidden_size * SHUFFLE**2
        self.connector = nn.Linear(joined, text_width, bias=False)
        self.heads = nn.Linear(joined, sum(HEADS.values()))
        with torch.no_grad():
            weight = self.vision.embeddings.patch_embedding.weight
            weight.copy_(nn.init.orthogonal_(torch.empty(weight.flatten(1).shape)).view_as(weight))
            nn.init.normal_(self.vision.embeddings.position_embedding.weight, std=0.2)
            nn.init.normal_(self.connector.weight, std=joined**-0.5 * 0.1)
            nn.init.zeros_(self.heads.bias)

    def tokens(self, pixels: Tensor) -> Tensor:
        """What the connector's linear map takes.

        Args:
            pixels: Normalised pictures, `(batch, 3, side, side)`.

        Returns:
            The joined patches of each token, `(batch, tokens, width * SHUFFLE**2)`.
        """
        # The same as calling the tower, without the masks that it makes for pictures with padding.
        embeddings = self.vision.embeddings
        patches = embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)
        hidden = patches + embeddings.position_embedding.weight
        for layer in self.vision.encoder.layers:
            hidden = layer(hidden, None)
        hidden = self.vision.post_layernorm(hidden)
        batch, _, width = hidden.shape
        cells = hidden.view(batch, GRID, SHUFFLE, GRID, SHUFFLE, width).transpose(2, 3)
        joined: Tensor = cells.reshape(batch, GRID * GRID, SHUFFLE * SHUFFLE * width)
        return joined

    def predictions(self, tokens: Tensor) -> dict[str, Tensor]:
        """What the heads say of each token."""
        parts = self.heads(tokens).split(list(HEADS.values()), dim=-1)
        return dict(zip(HEADS, parts, strict=True))


def normalised(images: Tensor) -> Tensor:
    """Bytes `(batch, side, side, 3)` to what the processor gives: -1 to 1, channels first."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1
