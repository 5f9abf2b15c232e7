"""The fingerprint knows a model again, and tells another one from it."""

from __future__ import annotations

import torch

from headwise.engines.transformers import TransformersEngine
from tiny_models import family
from tiny_tokenizer import build_tokenizer

from .subject import Subject


def engine(subject: Subject, model_id: str = "again") -> TransformersEngine:
    return TransformersEngine(subject.family.build(), build_tokenizer(), model_id=model_id)


def test_the_same_model_loaded_again_is_known(llama: Subject) -> None:
    assert llama.engine.fingerprint.difference(engine(llama).fingerprint) == ()


def test_another_dtype_is_the_same_model(llama: Subject) -> None:
    model = llama.family.build().bfloat16()
    found = TransformersEngine(model, build_tokenizer()).fingerprint
    assert llama.engine.fingerprint.difference(found) == ()
    assert found.dtype != llama.engine.fingerprint.dtype


def test_a_lightly_trained_model_differs(llama: Subject) -> None:
    model = llama.family.build()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            weight.add_(0.05 * weight.std() * noise)
    found = TransformersEngine(model, build_tokenizer()).fingerprint
    assert llama.engine.fingerprint.difference(found) == ("weights_hash",)


def test_another_chat_template_differs(llama: Subject) -> None:
    tokenizer = build_tokenizer("bos")
    found = TransformersEngine(llama.family.build(), tokenizer).fingerprint
    assert llama.engine.fingerprint.difference(found) == ("chat_template_hash",)


def test_another_layout_differs(llama: Subject) -> None:
    found = TransformersEngine(family("qwen3").build(), build_tokenizer()).fingerprint
    assert {"architecture", "layout_hash"} <= set(llama.engine.fingerprint.difference(found))
