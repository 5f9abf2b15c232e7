"""The shipped model as anybody loads it, asked in batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from training.embedded_vision.dialogues import Exchange
from training.embedded_vision.packing import Packer, Row, batched

_AT_ONCE = 16
Turn = tuple[str, str | Sequence[Any]]


class Composed:
    """Model and processor.

    Args:
        folder: Where they are.
        dtype: What the weights are kept in.
    """

    def __init__(self, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype
        self.processor = AutoProcessor.from_pretrained(folder)
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype).eval()
        self.packer = Packer(self.processor.tokenizer)

    def write(self, prompts: Sequence[str], images: Sequence[Image.Image], most: int) -> list[str]:
        """Answers greedily, each prompt behind its picture.

        Args:
            prompts: The prompts.
            images: A picture for each.
            most: The most new tokens.

        Returns:
            The answers.
        """
        self.processor.tokenizer.padding_side = "left"
        found: list[str] = []
        for at in range(0, len(prompts), _AT_ONCE):
            texts = [self._chat(prompt) for prompt in prompts[at : at + _AT_ONCE]]
            inputs = self.processor(
                text=texts,
                images=[[image] for image in images[at : at + _AT_ONCE]],
                padding=True,
                return_tensors="pt",
            )
            with torch.no_grad():
                written = self.model.generate(
                    **inputs, max_new_tokens=most, do_sample=False, use_cache=True
                )
            start = inputs["input_ids"].shape[1]
            found += self.processor.batch_decode(written[:, start:], skip_special_tokens=True)
        return found

    def tokens(self, images: Sequence[Image.Image]) -> Tensor:
        """What the language model gets for pictures, `(pictures, tokens, width)`."""
        pixels = self.processor.image_processor([[image] for image in images], return_tensors="pt")[
            "pixel_values"
        ]
        with torch.no_grad():
            features: Tensor = self.model.model.get_image_features(pixels).pooler_output
        return features

    def hidden(self, rows: Sequence[Row], images: Tensor | None) -> Tensor:
        """Last hidden states of packed rows, padded on the right.

        Args:
            rows: The rows.
            images: What `tokens` gave for their pictures, in order.

        Returns:
            `(rows, length, width)`.
        """
        batch = batched(rows, self.dtype)
        text = self.model.model.text_model
        embedded = text.get_input_embeddings()(batch.tokens)
        if images is not None:
            shown = batch.tokens == self.packer.image_token
            embedded = embedded.masked_scatter(shown[..., None], images.flatten(0, 1))
        with torch.no_grad():
            output: Tensor = text(
                inputs_embeds=embedded,
                attention_mask=batch.mask,
                position_ids=batch.positions,
                use_cache=False,
            ).last_hidden_state
        return output

    def right(self, exchanges: Sequence[Exchange], image: Image.Image) -> list[bool]:
        """Whether the greedy answer to each prompt about a picture is the wanted one, to the end.

        The prompts share the picture's tokens; this gives what generating each answer alone does.

        Args:
            exchanges: Prompts and wanted answers.
            image: The picture.

        Returns:
            One value an exchange.
        """
        row = self.packer.about_one_image(exchanges)
        hidden = self.hidden([row], self.tokens([image]))[0]
        return self.greedy(row, hidden)

    def greedy(self, row: Row, hidden: Tensor) -> list[bool]:
        """Whether each segment's answer is what would be written greedily."""
        weights, tokens = torch.tensor(row.weights), torch.tensor(row.tokens)
        segments = torch.tensor(row.segments)
        places = weights.nonzero()[:, 0]
        with torch.no_grad():
            likeliest = self.model.lm_head(hidden[places - 1]).argmax(-1)
        hits = likeliest == tokens[places]
        return [
            bool(hits[segments[places] == segment].all()) for segment in range(1, len(row.tasks))
        ]

    def _chat(self, prompt: str) -> str:
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        text: str = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        return text
