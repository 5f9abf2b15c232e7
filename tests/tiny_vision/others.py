"""InternVL, Mistral 3 and Mllama."""

from __future__ import annotations

from transformers import (
    GotOcr2ImageProcessorPil,
    InternVLConfig,
    Mistral3Config,
    MllamaConfig,
    MllamaImageProcessorPil,
    MllamaProcessor,
    PixtralImageProcessorPil,
)

from tiny_vision import processors, templates
from tiny_vision.parts import Parts, language, special_ids, square, tower
from tiny_vision.vocabulary import family_tokenizer

_SIDE = 28


def internvl() -> Parts:
    """Four tokens a tile; a square picture is one tile, a wide one two tiles and the whole."""
    tokenizer = family_tokenizer(
        {
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        }
    )
    vision = tower("internvl_vision", 4, _SIDE, 7)
    config = InternVLConfig(
        text_config=language(tokenizer, (48, 3, 4, 2), model_type="qwen2"),
        vision_config={**vision, "image_size": [_SIDE, _SIDE], "patch_size": [7, 7]},
        image_token_id=tokenizer.context_image_token_id,
        image_seq_length=4,
        **special_ids(),
    )
    processor = processors.ImageInternVLProcessor(
        GotOcr2ImageProcessorPil(size=square(_SIDE), max_patches=2),
        tokenizer,
        None,
        image_seq_length=4,
        chat_template=templates.INTERNVL,
    )
    return Parts("InternVLForConditionalGeneration", config, processor, "<IMG_CONTEXT>")


def mistral3() -> Parts:
    """Pictures of any shape; a break token ends each row of picture tokens."""
    tokenizer = family_tokenizer(
        {"image_token": "[IMG]"},
        (
            "[IMG_BREAK]",
            "[IMG_END]",
            "[INST]",
            "[/INST]",
            "[SYSTEM_PROMPT]",
            "[/SYSTEM_PROMPT]",
        ),
        adds_bos=True,
    )
    config = Mistral3Config(
        text_config=language(
            tokenizer, (48, 3, 4, 2), head_dim=16, model_type="mistral", sliding_window=None
        ),
        vision_config=tower("pixtral", 4, 56, 7, head_dim=8),
        image_token_index=tokenizer.image_token_id,
        spatial_merge_size=2,
        **special_ids(),
    )
    processor = processors.pixtral_processor()(
        PixtralImageProcessorPil(size={"longest_edge": 56}, patch_size=square(7)),
        tokenizer,
        patch_size=7,
        spatial_merge_size=2,
        chat_template=templates.MISTRAL3,
    )
    return Parts("Mistral3ForConditionalGeneration", config, processor, "[IMG]")


def mllama() -> Parts:
    """Two of five language layers attend to pictures and not to the text before.

    The picture's token is one past the end of the vocabulary that the model can write.
    """
    tokenizer = family_tokenizer(
        {},
        (
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
            "<|python_tag|>",
            "<|image|>",
        ),
        adds_bos=True,
    )
    image_id = tokenizer.convert_tokens_to_ids("<|image|>")
    text = language(tokenizer, (48, 5, 4, 2), cross_attention_layers=[1, 3])
    config = MllamaConfig(
        text_config={**text, "vocab_size": image_id},
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 4,
            "num_global_layers": 2,
            "attention_heads": 4,
            "image_size": _SIDE,
            "patch_size": 14,
            "max_num_tiles": 4,
            "intermediate_layers_indices": [1, 3],
            "vision_output_dim": 96,
        },
        image_token_index=image_id,
        **special_ids(),
    )
    processor = MllamaProcessor(
        MllamaImageProcessorPil(size=square(_SIDE), max_image_tiles=4),
        tokenizer,
        chat_template=templates.MLLAMA,
    )
    return Parts("MllamaForConditionalGeneration", config, processor, "<|image|>")
