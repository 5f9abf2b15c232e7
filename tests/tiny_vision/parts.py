"""What the families are made of: language models, vision towers and PIL image processors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedConfig, PreTrainedTokenizerFast, ProcessorMixin

from tiny_tokenizer import BOS_ID, EOS_ID, PAD_ID


@dataclass(frozen=True, slots=True)
class Parts:
    """What a family's model is built from, and its processor.

    Args:
        model: Name of the transformers model class.
        config: Its configuration.
        processor: The family's processor.
        image_token: The token whose embeddings are replaced by picture features; for Mllama, the
            token from which on a picture can be seen.
    """

    model: str
    config: PreTrainedConfig
    processor: ProcessorMixin
    image_token: str


def special_ids() -> dict[str, Any]:
    """Arguments that every configuration gets."""
    return {
        "pad_token_id": PAD_ID,
        "bos_token_id": BOS_ID,
        "eos_token_id": EOS_ID,
        "tie_word_embeddings": False,
    }


def language(
    tokenizer: PreTrainedTokenizerFast, shape: tuple[int, int, int, int], **more: Any
) -> dict[str, Any]:
    """A language model's configuration.

    Args:
        tokenizer: Gives the size of the vocabulary.
        shape: Hidden size, layers, query heads and key-value heads.
        **more: Further arguments; they win.
    """
    hidden, layers, heads, kv_heads = shape
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "intermediate_size": 48,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 512,
        **special_ids(),
        **more,
    }


def m_rope(section: Sequence[int], **more: Any) -> dict[str, Any]:
    """Rotary positions of three axes; `section` splits half a head's width among them."""
    return {
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": list(section),
            **more,
        }
    }


def tower(kind: str, layers: int, image: int, patch: int, **more: Any) -> dict[str, Any]:
    """A vision tower of the usual shape: square pictures, square patches, four heads of eight."""
    return {
        "model_type": kind,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "image_size": image,
        "patch_size": patch,
        **more,
    }


def square(side: int) -> dict[str, int]:
    """A size as image processors write it."""
    return {"height": side, "width": side}
