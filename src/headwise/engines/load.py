"""`load`: a frozen model, ready to be read and steered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
)

from headwise.engines.embedded import EMBEDDED_MODEL_ID, embedded_model_path
from headwise.engines.embedded_vision import EMBEDDED_VISION_ID, embedded_vision_path
from headwise.engines.processors import Reading, load_reading
from headwise.engines.transformers import TransformersEngine
from headwise.engines.transformers.sight import KNOWN_MODELS
from headwise.errors import EngineError, InputError

# The models that ship, by the names that stand for them.
SHIPPED: dict[str, Callable[[], Path]] = {
    EMBEDDED_MODEL_ID: embedded_model_path,
    EMBEDDED_VISION_ID: embedded_vision_path,
}


def load(
    model: str | Path | None = None,
    *,
    dtype: str | torch.dtype | None = None,
    device: str | None = None,
    revision: str | None = None,
    attn_implementation: str | None = None,
    quantization: str | object | None = None,
    token_budget: int | None = None,
    chat_template: dict[str, Any] | None = None,
    trust_remote_code: bool = False,
    verify_layout: bool = True,
) -> TransformersEngine:
    """Loads a language model, or one that takes images beside text, into an engine.

    Args:
        model: A Hub id, a local folder, None (or `"embedded"`) for SmolLM2-135M-Instruct, or
            `"embedded-vision"` for that model with eyes for simple drawn scenes.
        dtype: `"float32"`, `"bfloat16"`, `"float16"`, `"auto"` or a torch dtype. None is float32 on
            the CPU and the checkpoint's own on a GPU.
        device: `"cpu"`, `"cuda"`, `"cuda:1"`, or `"auto"` to spread over all GPUs. None is a GPU
            where there is one, else the CPU.
        revision: Commit, branch or tag of a Hub model.
        attn_implementation: `"sdpa"`, `"eager"` or `"flash_attention_2"`; None is the model's own.
        quantization: `"4bit"` or `"8bit"` (bitsandbytes), or a transformers quantization config.
        token_budget: Padded tokens a batch may have; by device where None.
        chat_template: Arguments for the chat template, such as `{"enable_thinking": False}`.
        trust_remote_code: Whether code that comes with the model may run. Off unless asked for.
        verify_layout: Whether to check numerically that the located slices are heads.

    Returns:
        The engine.

    Raises:
        EngineError: The model could not be found or loaded.
        LayoutError: Its attention heads could not be found with certainty.
    """
    model_id = EMBEDDED_MODEL_ID if model is None else str(model)
    shipped = SHIPPED.get(model_id)
    source = model_id if shipped is None else str(shipped())
    _check_device(device)
    chosen_device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    arguments: dict[str, Any] = {
        "dtype": _dtype(dtype, chosen_device),
        "revision": revision,
        "attn_implementation": attn_implementation,
        "quantization_config": _quantization(quantization),
        "trust_remote_code": trust_remote_code,
    }
    if chosen_device == "auto" or quantization is not None:
        arguments["device_map"] = "auto" if chosen_device == "auto" else {"": chosen_device}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    loaded, reading = _read(source, revision, trust_remote_code, arguments)
    if "device_map" not in arguments:
        loaded = loaded.to(chosen_device)
    return TransformersEngine(
        loaded,
        reading.tokenizer,
        processor=reading.processor,
        processor_error=reading.processor_error,
        model_id=model_id,
        revision=None if shipped else _commit(loaded, revision),
        token_budget=token_budget,
        chat_template=chat_template,
        verify_layout=verify_layout,
    )


def _read(
    source: str, revision: str | None, trust_remote_code: bool, arguments: dict[str, Any]
) -> tuple[Any, Reading]:
    _check_folder(source)
    shared = {"trust_remote_code": trust_remote_code}
    if revision is not None:
        shared["revision"] = revision  # type: ignore[assignment]
    try:
        config = AutoConfig.from_pretrained(source, **shared)
        sees = _sees(config)
        reading = load_reading(source, config if sees else None, shared)
        loader = AutoModelForImageTextToText if sees else AutoModelForCausalLM
        # Only safetensors: a pickled checkpoint can run code when it is read.
        model = loader.from_pretrained(source, config=config, use_safetensors=True, **arguments)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise EngineError(
            f"Could not load the model {source!r}: {error}\nExpected a Hub id or a folder with "
            "config.json, a tokenizer and safetensors weights of a causal language model."
        ) from error
    return model, reading


def _sees(config: Any) -> bool:
    """Whether a model is to be loaded with its vision tower."""
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return False
    # What headwise cannot show images goes on as the language model that it also is.
    return config.model_type in KNOWN_MODELS or type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING


def _check_folder(source: str) -> None:
    path = Path(source)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise EngineError(f"The folder {source} has no config.json, so it holds no model.")
        if not any(path.glob("*.safetensors")):
            raise EngineError(
                f"The folder {source} has no weights: expected *.safetensors beside config.json."
            )
    elif path.is_absolute() or source.startswith((".", "~")):
        raise EngineError(f"There is no folder {source}.")


def _check_device(device: str | None) -> None:
    if device is None or device == "auto":
        return
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise InputError(
            f"Unknown device {device!r}; expected 'cpu', 'cuda', 'cuda:1' or 'auto'."
        ) from error
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise EngineError(
            f"There is no device {device!r} here: torch sees {torch.cuda.device_count()} GPUs. "
            "Use device='cpu'."
        )


def _dtype(dtype: str | torch.dtype | None, device: str) -> str | torch.dtype:
    if dtype is None:
        return torch.float32 if device == "cpu" else "auto"
    if isinstance(dtype, torch.dtype) or dtype == "auto":
        return dtype
    known = getattr(torch, dtype, None)
    if not isinstance(known, torch.dtype) or not known.is_floating_point:
        raise InputError(
            f"Unknown dtype {dtype!r}; expected 'float32', 'bfloat16', 'float16' or 'auto'."
        )
    return known


def _quantization(quantization: str | object | None) -> object | None:
    if not isinstance(quantization, str):
        return quantization
    if quantization not in ("4bit", "8bit"):
        raise InputError(
            f"quantization is '4bit', '8bit' or a transformers quantization config; got "
            f"{quantization!r}."
        )
    from transformers import BitsAndBytesConfig

    if quantization == "4bit":
        return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)
    return BitsAndBytesConfig(load_in_8bit=True)


def _commit(model: Any, revision: str | None) -> str | None:
    return getattr(model.config, "_commit_hash", None) or revision
