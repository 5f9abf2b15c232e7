"""A model's fingerprint: cheap, the same in every float dtype, different for a fine-tune."""

from __future__ import annotations

import hashlib
import json

import torch
from torch import Tensor
from transformers import PreTrainedModel, ProcessorMixin

from headwise.engines.base import ModelFingerprint
from headwise.heads import HeadLayout

_SAMPLES_PER_WEIGHT = 256
# Settings of an image processor that say how it is called or was saved, and change no pixel.
_NO_PIXEL = {
    *("image_processor_type", "processor_class", "_commit_hash", "_processor_class", "backend"),
    *("device", "disable_grouping", "data_format", "input_data_format", "return_tensors"),
}


def fingerprint_of(
    model: PreTrainedModel,
    layout: HeadLayout,
    model_id: str,
    revision: str | None,
    chat_template_hash: str,
    processor: ProcessorMixin | None = None,
) -> ModelFingerprint:
    """Takes the fingerprint of a loaded model.

    Args:
        model: The model.
        layout: Its heads.
        model_id: The name artifacts remember it by.
        revision: Commit or tag.
        chat_template_hash: Hash of its chat template.
        processor: What reads its images; None where it is shown none.

    Returns:
        The fingerprint.
    """
    hidden = int(model.config.get_text_config(decoder=True).hidden_size)
    shape = [[entry.layer, entry.n_heads, entry.head_dim] for entry in layout.layers]
    return ModelFingerprint(
        model_id=model_id,
        revision=revision,
        architecture=type(model).__name__,
        layout_hash=_digest(json.dumps([hidden, shape]).encode()),
        weights_hash=_digest(_weight_signs(model)),
        chat_template_hash=chat_template_hash,
        dtype=str(model.dtype).removeprefix("torch."),
        image_processor=_image_processor_of(processor),
    )


def weights_state(model: PreTrainedModel) -> tuple[int, int]:
    """Changes with every parameter that is added, replaced or written to."""
    parameters = list(model.parameters())
    # torch counts writes; for tensors of inference mode it does not.
    writes = sum(0 if one.is_inference() else one._version for one in parameters)
    return hash(tuple(map(id, parameters))), writes


def _image_processor_of(processor: ProcessorMixin | None) -> str:
    """Class, backend and a hash of the settings of what makes pixels of images."""
    image_processor = getattr(processor, "image_processor", None)
    if image_processor is None:
        return ""
    name = type(image_processor).__name__
    backend = getattr(image_processor, "backend", None) or ("pil" if name.endswith("Pil") else "")
    settings = {
        key: value
        for key, value in image_processor.to_dict().items()
        if value is not None and key not in _NO_PIXEL
    }
    told = json.dumps(settings, sort_keys=True, default=str)
    return f"{name.removesuffix('Pil')} {backend or 'torchvision'} {_digest(told.encode())}"


def _weight_signs(model: PreTrainedModel) -> bytes:
    """Signs of sampled matrix weights: they survive a change of float dtype, not a fine-tune."""
    signs = []
    for name, weight in sorted(model.named_parameters()):
        if weight.ndim == 2 and weight.is_floating_point() and not weight.is_meta:
            signs.append(name.encode() + _sampled_signs(weight.detach()))
    return b"".join(signs)


def _sampled_signs(weight: Tensor) -> bytes:
    flat = weight.reshape(-1)
    at = torch.linspace(0, len(flat) - 1, _SAMPLES_PER_WEIGHT, dtype=torch.float64).long()
    return bytes((flat[at.to(flat.device)].cpu() > 0).to(torch.uint8).tolist())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
