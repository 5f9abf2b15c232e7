"""Gemma 3 and PaliGemma: attention both ways, among a picture's tokens or in the whole prefix."""

from __future__ import annotations

from transformers import (
    Gemma3Config,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
    PaliGemmaConfig,
    PaliGemmaProcessor,
    SiglipImageProcessorPil,
)

from tiny_vision import templates
from tiny_vision.parts import Parts, language, special_ids, square, tower
from tiny_vision.vocabulary import family_tokenizer

_SIDE = 28


def gemma3() -> Parts:
    """Four tokens a picture; every second layer has a window of eight tokens."""
    tokenizer = family_tokenizer(
        {
            "image_token": "<image_soft_token>",
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
        },
        ("<start_of_turn>", "<end_of_turn>"),
        adds_bos=True,
    )
    config = Gemma3Config(
        text_config=language(
            tokenizer,
            (40, 4, 4, 2),
            head_dim=16,
            query_pre_attn_scalar=16,
            sliding_window=8,
            layer_types=["sliding_attention", "full_attention"] * 2,
        ),
        vision_config=tower("siglip_vision_model", 3, _SIDE, 7, vision_use_head=False),
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        image_token_index=tokenizer.image_token_id,
        **special_ids(),
    )
    processor = Gemma3Processor(
        Gemma3ImageProcessorPil(size=square(_SIDE)),
        tokenizer,
        chat_template=templates.GEMMA3,
        image_seq_length=4,
    )
    return Parts("Gemma3ForConditionalGeneration", config, processor, "<image_soft_token>")


def paligemma() -> Parts:
    """Four tokens a picture, no chat; the processor adds 1152 location and segment tokens."""
    tokenizer = family_tokenizer({"image_token": "<image>"})
    pictures = SiglipImageProcessorPil(size=square(_SIDE))
    pictures.image_seq_length = 4
    processor = PaliGemmaProcessor(pictures, tokenizer)
    config = PaliGemmaConfig(
        text_config=language(tokenizer, (40, 3, 4, 1), head_dim=16, model_type="gemma"),
        vision_config=tower("siglip_vision_model", 3, _SIDE, 14, vision_use_head=False),
        image_token_index=tokenizer.image_token_id,
        projection_dim=40,
        **special_ids(),
    )
    return Parts("PaliGemmaForConditionalGeneration", config, processor, "<image>")
