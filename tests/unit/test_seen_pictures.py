"""What pictures leave in memory once the model has seen them."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import torch

from headwise.content import as_image
from headwise.engines.transformers import TransformersEngine
from headwise.prompts.conversation import Conversation
from tiny_vision_models import build_vision


def pixels_in_memory() -> Iterator[torch.Tensor]:
    """Tensors of colours that are alive: `(..., 3, height, width)`."""
    for found in gc.get_objects():
        if type(found) is torch.Tensor and found.ndim >= 4 and found.shape[-3] == 3:
            yield found


def test_no_pixels_stay_and_the_same_pictures_give_the_same_again() -> None:
    tiny = build_vision("idefics3")
    engine = TransformersEngine(tiny.model, tiny.processor, model_id="tiny")
    random = np.random.default_rng(0)
    pictures = [as_image(random.integers(0, 255, (40, 40, 3), dtype=np.uint8)) for _ in range(6)]
    asked = [Conversation.user((picture, "What is it?")) for picture in pictures]
    gc.collect()
    before = sum(1 for _ in pixels_in_memory())
    first = engine.capture(asked)
    gc.collect()
    assert sum(1 for _ in pixels_in_memory()) == before
    again = engine.capture(asked[::-1])
    for one, other in zip(first.values, again.values, strict=True):
        torch.testing.assert_close(one, other.flip(0), atol=1e-5, rtol=1e-4)
