"""The processor of a model that sees: its own, or one put together where torchvision is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transformers import (
    AutoImageProcessor,
    AutoProcessor,
    AutoTokenizer,
    Idefics3Processor,
    ProcessorMixin,
)
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from headwise.errors import EngineError

# Without num2words, which it says the times of videos with, SmolVLM's processor does not start;
# Idefics3's writes the same for a picture.
_IN_PLACE_OF = {"SmolVLMProcessor": Idefics3Processor}


@dataclass(frozen=True, slots=True)
class Reading:
    """What reads a model's prompts.

    Args:
        tokenizer: Its tokenizer.
        processor: What reads its images, with the same tokenizer; None where it has none.
        processor_error: Why the processor could not be loaded.
    """

    tokenizer: Any
    processor: ProcessorMixin | None = None
    processor_error: str | None = None


def load_reading(source: str, config: Any | None, shared: dict[str, Any]) -> Reading:
    """Loads what reads a model's prompts.

    A model that sees goes on with texts where its processor cannot be loaded.

    Args:
        source: A Hub id or a folder.
        config: The configuration of a model that sees; None for one of texts.
        shared: Arguments for everything that is loaded: the revision, whether code may run.
    """
    if config is None:
        return Reading(AutoTokenizer.from_pretrained(source, **shared))
    try:
        processor: Any = load_processor(source, config, shared)
    except EngineError as error:
        return Reading(AutoTokenizer.from_pretrained(source, **shared), processor_error=str(error))
    return Reading(processor.tokenizer, processor)


def load_processor(source: str, config: Any, shared: dict[str, Any]) -> ProcessorMixin:
    """Loads the processor that belongs to a model.

    Args:
        source: A Hub id or a folder.
        config: The model's configuration.
        shared: Arguments for everything that is loaded: the revision, whether code may run.

    Returns:
        The processor; for images only where transformers cannot load the rest of it.

    Raises:
        EngineError: It has none, or needs a package that is not installed.
    """
    try:
        processor = AutoProcessor.from_pretrained(source, **shared)
    except (ImportError, OSError, ValueError, TypeError) as error:
        return _composed(source, config, shared, error)
    if not isinstance(processor, ProcessorMixin):
        raise EngineError(f"{source!r} has no processor that takes images beside text.")
    return processor


def _composed(
    source: str, config: Any, shared: dict[str, Any], reason: Exception
) -> ProcessorMixin:
    """Image processor and tokenizer, with no video processor: that one needs torchvision."""
    try:
        own: Any = PROCESSOR_MAPPING[type(config)]
        own = _IN_PLACE_OF.get(own.__name__, own)
        parts = {
            "image_processor": AutoImageProcessor.from_pretrained(source, **shared),
            "tokenizer": AutoTokenizer.from_pretrained(source, **shared),
        }
        settings, _ = own.get_processor_dict(source, **shared)
        composed = type(own.__name__, (_WithoutVideo, own), {"__module__": own.__module__})
        arguments = [parts.get(name) for name in own.get_attributes()]
        processor = composed.from_args_and_dict(arguments, settings)  # type: ignore[attr-defined]
    except Exception as error:  # Whatever is missing, the first reason says it best.
        raise EngineError(
            f"Could not load the processor of {source!r}, which reads its images: {reason}"
        ) from error
    if not isinstance(processor, ProcessorMixin):
        raise EngineError(f"{source!r} has no processor that takes images beside text.")
    return processor


class _WithoutVideo:
    """Lets a processor be made without the parts that are None."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        if argument is None:
            return None
        return super().check_argument_for_proper_class(  # type: ignore[misc]
            argument_name, argument
        )
