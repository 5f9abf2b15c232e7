"""Random weights with which heads differ, logits are far from uniform, and pictures count."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from tiny_vision.vocabulary import loud_tokens


def initialise(model: PreTrainedModel, seed: int) -> None:
    """Draws the weights of a model; the same ones for the same seed."""
    generator = torch.Generator().manual_seed(seed + 1)
    embedding = model.get_input_embeddings().weight
    head = model.get_output_embeddings().weight
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter is embedding:
                parameter.copy_(noise)
            elif parameter.ndim >= 2:
                parameter.copy_(1.3 * parameter[0].numel() ** -0.5 * noise)
            elif parameter.numel() == 1:  # Mllama's gates, which are shut to begin with.
                parameter.copy_(1.0 + 0.2 * noise)
            else:  # Norms, biases and layer scales stay near the family's own initial value.
                parameter.add_(0.2 * noise)
        # Greedy text is of plain tokens: a picture's token would call for a picture.
        loud = torch.zeros(len(head), dtype=torch.bool)
        loud[loud_tokens(len(head))] = True
        head *= torch.where(loud, 3.0, 0.15)[:, None]
