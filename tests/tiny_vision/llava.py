"""The LLaVA families: a tower and a projector before a plain language model."""

from __future__ import annotations

from transformers import (
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaNextConfig,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionImageProcessorPil,
    LlavaProcessor,
)

from tiny_vision import processors, templates
from tiny_vision.parts import Parts, language, special_ids, square, tower
from tiny_vision.vocabulary import family_tokenizer

_SIDE = 28
_PATCH = 14


def llava() -> Parts:
    """LLaVA 1.5: four tokens a picture; the tower of five layers is deeper than the Llama."""
    tokenizer = family_tokenizer({"image_token": "<image>"}, adds_bos=True)
    config = LlavaConfig(
        text_config=language(tokenizer, (48, 3, 6, 2), model_type="llama"),
        vision_config=tower("clip_vision_model", 5, _SIDE, _PATCH),
        image_token_index=tokenizer.image_token_id,
        image_seq_length=4,
        **special_ids(),
    )
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": _SIDE}, crop_size=square(_SIDE)),
        tokenizer,
        patch_size=_PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=templates.LLAVA,
    )
    return Parts("LlavaForConditionalGeneration", config, processor, "<image>")


def llava_next() -> Parts:
    """Pictures are also cut into tiles; a learned newline ends each row of features."""
    tokenizer = family_tokenizer({"image_token": "<image>"}, adds_bos=True)
    pinpoints = [[_SIDE, 2 * _SIDE], [2 * _SIDE, _SIDE]]
    config = LlavaNextConfig(
        text_config=language(tokenizer, (48, 3, 4, 2), model_type="mistral", sliding_window=None),
        vision_config=tower("clip_vision_model", 3, _SIDE, _PATCH),
        image_token_index=tokenizer.image_token_id,
        image_seq_length=4,
        image_grid_pinpoints=pinpoints,
        **special_ids(),
    )
    processor = LlavaNextProcessor(
        LlavaNextImageProcessorPil(
            size={"shortest_edge": _SIDE}, crop_size=square(_SIDE), image_grid_pinpoints=pinpoints
        ),
        tokenizer,
        patch_size=_PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=templates.LLAVA_NEXT,
    )
    return Parts("LlavaNextForConditionalGeneration", config, processor, "<image>")


def llava_onevision() -> Parts:
    """Tiles as in LLaVA-NeXT for a turn's only picture, one tile each when there are several."""
    tokenizer = family_tokenizer({"image_token": "<image>", "video_token": "<video>"})
    pinpoints = [[_SIDE, _SIDE], [_SIDE, 2 * _SIDE], [2 * _SIDE, _SIDE]]
    config = LlavaOnevisionConfig(
        text_config=language(tokenizer, (48, 3, 4, 2), model_type="qwen2"),
        vision_config=tower("siglip_vision_model", 3, _SIDE, _PATCH, vision_use_head=False),
        image_token_index=tokenizer.image_token_id,
        video_token_index=tokenizer.video_token_id,
        image_grid_pinpoints=pinpoints,
        **special_ids(),
    )
    processor = processors.ImageLlavaOnevisionProcessor(
        LlavaOnevisionImageProcessorPil(size=square(_SIDE), image_grid_pinpoints=pinpoints),
        tokenizer,
        None,
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=templates.LLAVA_ONEVISION,
    )
    return Parts("LlavaOnevisionForConditionalGeneration", config, processor, "<image>")
