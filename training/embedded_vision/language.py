"""The language model with its update, the connector and the embeddings of the image tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from headwise.engines.embedded import embedded_model_path
from training.embedded_vision import packed_attention
from training.embedded_vision.low_rank import add_low_rank
from training.embedded_vision.packed_attention import plan_of
from training.embedded_vision.packing import IMAGE_TOKENS, Batch


class Language(nn.Module):
    """What stage 2 trains: `connector`, `rows` and the low-rank maps within `decoder`.

    Args:
        rank: The rank of the update.
        joined: The width of the tower's tokens.
        tokenizer: A tokenizer that knows the image tokens.
        dtype: What the frozen weights are kept in.
    """

    def __init__(
        self, rank: int, joined: int, tokenizer: Any, dtype: torch.dtype = torch.bfloat16
    ) -> None:
        super().__init__()
        model = AutoModelForCausalLM.from_pretrained(
            embedded_model_path(), dtype=dtype, attn_implementation=packed_attention.NAME
        )
        model.requires_grad_(False)
        self.decoder = model.model
        add_low_rank(self.decoder.layers, rank)
        table = self.decoder.embed_tokens.weight.float()
        self.vocabulary = table.shape[0]
        self.connector = nn.Linear(joined, table.shape[1], bias=False)
        # New tokens begin like a word that says what they are for.
        words = (" picture", " picture", "\n", " image")
        first = [tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in words]
        self.rows = nn.Parameter(table[first].clone())
        self._scored = torch.cat([self.decoder.embed_tokens.weight, self.rows.detach().to(dtype)])
        self.image_token = tokenizer.convert_tokens_to_ids("<image>")
        self.dtype = dtype

    def hidden(self, batch: Batch, images: Tensor | None) -> Tensor:
        """The last hidden states.

        Args:
            batch: The tokens.
            images: The tower's tokens of all images, in the order in which rows show them; or
                words in their place, of this model's width.

        Returns:
            `(rows, length, width)`.
        """
        old = batch.tokens.clamp_max(self.vocabulary - 1)
        embedded = nn.functional.embedding(old, self.decoder.embed_tokens.weight)
        new = batch.tokens >= self.vocabulary
        embedded = embedded.masked_scatter(
            new[..., None], self.rows.to(self.dtype)[batch.tokens[new] - self.vocabulary]
        )
        if images is not None:
            shown = batch.tokens == self.image_token
            embedded = embedded.masked_scatter(
                shown[..., None], self._connected(images).to(self.dtype).flatten(0, 1)
            )
        output = self.decoder(
            inputs_embeds=embedded,
            attention_mask=batch.mask,
            position_ids=batch.positions,
            use_cache=False,
            plan=plan_of(batch.segments[0].tolist()) if len(batch.tokens) == 1 else None,
        )
        hidden: Tensor = output.last_hidden_state
        return hidden

    def _connected(self, images: Tensor) -> Tensor:
        if images.shape[-1] == self.connector.out_features:
            return images
        connected: Tensor = self.connector(images)
        return connected

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of all tokens; of image tokens, which are never wanted, as they began."""
        return (hidden @ self._scored.t()).float()

    def trainable(self) -> list[nn.Parameter]:
        """The parameters that are trained."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


def image_tokenizer() -> Any:
    """The language model's tokenizer with the image tokens added."""
    tokenizer = AutoTokenizer.from_pretrained(embedded_model_path())
    tokenizer.add_special_tokens({"additional_special_tokens": list(IMAGE_TOKENS)})
    return tokenizer
