"""Idefics 3 and SmolVLM: pixel shuffle before a language model called `text_model`."""

from __future__ import annotations

from transformers import (
    Idefics3Config,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    SmolVLMConfig,
    SmolVLMImageProcessorPil,
)

from tiny_vision import processors, templates
from tiny_vision.parts import Parts, language, special_ids, tower
from tiny_vision.vocabulary import family_tokenizer

_SIDE = 28
_TOKENS = (
    "<fake_token_around_image>",
    "<image>",
    "<end_of_utterance>",
    "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)),
)


def smolvlm() -> Parts:
    """Whole pictures of four tokens; the tower of five layers is deeper than the Llama."""
    tokenizer = family_tokenizer({}, _TOKENS)
    config = SmolVLMConfig(
        text_config=language(tokenizer, (48, 3, 6, 2), model_type="llama"),
        vision_config=tower("smolvlm_vision", 5, _SIDE, 7),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        **special_ids(),
    )
    pictures = SmolVLMImageProcessorPil(
        size={"longest_edge": _SIDE},
        max_image_size={"longest_edge": _SIDE},
        do_image_splitting=False,
    )
    processor = processors.ImageSmolVLMProcessor(
        pictures, tokenizer, None, image_seq_len=4, chat_template=templates.SMOLVLM
    )
    return Parts("SmolVLMForConditionalGeneration", config, processor, "<image>")


def idefics3() -> Parts:
    """Pictures cut into up to four tiles and the whole, one token each."""
    tokenizer = family_tokenizer({}, _TOKENS, adds_bos=True)
    config = Idefics3Config(
        text_config=language(tokenizer, (48, 3, 6, 2), model_type="llama"),
        vision_config=tower("idefics3_vision", 3, _SIDE, 14),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        **special_ids(),
    )
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 2 * _SIDE}, max_image_size={"longest_edge": _SIDE}
    )
    processor = Idefics3Processor(
        pictures, tokenizer, image_seq_len=1, chat_template=templates.IDEFICS3
    )
    return Parts("Idefics3ForConditionalGeneration", config, processor, "<image>")
