"""The Qwen-VL families: rotary positions of three axes, towers for pictures of any size."""

from __future__ import annotations

from typing import Any

from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2VLConfig,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
)

from tiny_vision import processors, templates
from tiny_vision.parts import Parts, language, m_rope, special_ids
from tiny_vision.vocabulary import family_tokenizer

_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")


def _ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    names = (
        "vision_start_token_id",
        "vision_end_token_id",
        "image_token_id",
        "video_token_id",
    )
    return dict(zip(names, tokenizer.convert_tokens_to_ids(list(_TOKENS)), strict=True))


def _pictures(patch: int) -> Qwen2VLImageProcessorPil:
    """Keeps a picture's shape; sides become multiples of two patches, 4 to 16 tokens in all."""
    side = 2 * patch
    return Qwen2VLImageProcessorPil(
        patch_size=patch,
        merge_size=2,
        size={"shortest_edge": 4 * side * side, "longest_edge": 16 * side * side},
    )


def qwen2_vl() -> Parts:
    """Tower of five layers over a language model of three."""
    tokenizer = family_tokenizer({}, _TOKENS)
    config = Qwen2VLConfig(
        text_config=language(tokenizer, (48, 3, 4, 2), **m_rope((2, 2, 2))),
        vision_config={
            "depth": 5,
            "embed_dim": 32,
            "hidden_size": 48,
            "num_heads": 4,
            "mlp_ratio": 2,
            "patch_size": 7,
        },
        **_ids(tokenizer),
        **special_ids(),
    )
    processor = processors.ImageQwen2VLProcessor(
        _pictures(7), tokenizer, None, chat_template=templates.QWEN2_VL
    )
    return Parts("Qwen2VLForConditionalGeneration", config, processor, "<|image_pad|>")


def qwen2_5_vl() -> Parts:
    """Tower of five layers, windowed but for two of them, over a language model of four."""
    tokenizer = family_tokenizer({}, _TOKENS)
    config = Qwen2_5_VLConfig(
        text_config=language(tokenizer, (48, 4, 4, 2), **m_rope((2, 2, 2))),
        vision_config={
            "depth": 5,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 4,
            "out_hidden_size": 48,
            "patch_size": 7,
            "window_size": 28,
            "fullatt_block_indexes": [1, 3],
        },
        **_ids(tokenizer),
        **special_ids(),
    )
    processor = processors.ImageQwen2_5_VLProcessor(
        _pictures(7), tokenizer, None, chat_template=templates.QWEN2_VL
    )
    return Parts("Qwen2_5_VLForConditionalGeneration", config, processor, "<|image_pad|>")


def qwen3_vl() -> Parts:
    """Features of three tower layers are added to the first three language layers as well."""
    tokenizer = family_tokenizer({}, _TOKENS)
    axes = m_rope((4, 2, 2), mrope_interleaved=True)
    config = Qwen3VLConfig(
        text_config=language(tokenizer, (48, 4, 4, 2), head_dim=16, **axes),
        vision_config={
            "depth": 4,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 4,
            "out_hidden_size": 48,
            "patch_size": 8,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0, 1, 2],
        },
        **_ids(tokenizer),
        **special_ids(),
    )
    processor = processors.ImageQwen3VLProcessor(
        _pictures(8), tokenizer, None, chat_template=templates.QWEN3_VL
    )
    return Parts("Qwen3VLForConditionalGeneration", config, processor, "<|image_pad|>")
