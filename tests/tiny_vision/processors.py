"""Real processor classes, made to work in a Python without torchvision and num2words."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from transformers import (
    InternVLProcessor,
    LlavaOnevisionProcessor,
    ProcessorMixin,
    Qwen2_5_VLProcessor,
    Qwen2VLProcessor,
    Qwen3VLProcessor,
    SmolVLMProcessor,
)


class _WithoutVideo:
    """A processor whose video processor, which needs torchvision, may be missing."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        if argument is None:
            return None
        return super().check_argument_for_proper_class(argument_name, argument)  # type: ignore[misc]


class ImageQwen2VLProcessor(_WithoutVideo, Qwen2VLProcessor):
    pass


class ImageQwen2_5_VLProcessor(_WithoutVideo, Qwen2_5_VLProcessor):  # noqa: N801
    pass


class ImageQwen3VLProcessor(_WithoutVideo, Qwen3VLProcessor):
    pass


class ImageLlavaOnevisionProcessor(_WithoutVideo, LlavaOnevisionProcessor):
    pass


class ImageInternVLProcessor(_WithoutVideo, InternVLProcessor):
    pass


class ImageSmolVLMProcessor(_WithoutVideo, SmolVLMProcessor):
    """Also passes by the frame settings that it would ask its video processor for."""

    def __init__(
        self,
        image_processor: Any,
        tokenizer: Any,
        video_processor: Any,
        image_seq_len: int = 169,
        chat_template: str | None = None,
    ) -> None:
        # It refuses to start without num2words, which it uses in the words around a video only.
        module = import_module("transformers.models.smolvlm.processing_smolvlm")
        module.num2words = module.num2words or str
        super().__init__(image_processor, tokenizer, video_processor, image_seq_len, chat_template)

    def apply_chat_template(self, *args: Any, **kwargs: Any) -> Any:
        return ProcessorMixin.apply_chat_template(self, *args, **kwargs)


@cache
def pixtral_processor() -> type[ProcessorMixin]:
    """`PixtralProcessor`, whose module can only be imported where torchvision is.

    It takes one function from the torchvision image processor's module, and the PIL image
    processor's module has the same function.
    """
    package = "transformers.models.pixtral"
    name = f"{package}.image_processing_pixtral"
    pil = import_module(f"{package}.image_processing_pil_pixtral")
    try:
        return import_module(f"{package}.processing_pixtral").PixtralProcessor
    except ModuleNotFoundError:
        stand_in = ModuleType(name)
        stand_in.get_resize_output_image_size = pil.get_resize_output_image_size  # type: ignore[attr-defined]
        sys.modules[name] = stand_in
        try:
            return import_module(f"{package}.processing_pixtral").PixtralProcessor
        finally:
            del sys.modules[name]
