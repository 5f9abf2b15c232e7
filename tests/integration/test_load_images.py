"""`headwise.load` of models that see: with their processor, or with one put together."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoProcessor

import headwise
from headwise.content import as_image
from headwise.engines.transformers import TransformersEngine
from headwise.errors import InputError
from headwise.prompts.conversation import Conversation
from tiny_vision_models import TinyVision, build_vision

PICTURE = as_image(torch.arange(60 * 40 * 3).remainder(251).reshape(40, 60, 3).byte().numpy())
SHOWN = [Conversation.user((PICTURE, "What is this?"))]
SETTINGS = (
    *("image_seq_len", "image_seq_length", "patch_size", "num_image_tokens"),
    *("vision_feature_select_strategy", "num_additional_image_tokens", "vision_aspect_ratio"),
)


def saved(tiny: TinyVision, folder: Path) -> Path:
    """A folder as the Hub has it."""
    processor: Any = tiny.processor
    tiny.model.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)
    processor.tokenizer.save_pretrained(folder)
    names = [one.__name__ for one in type(processor).__mro__ if one.__module__ != "builtins"]
    own = next(n for n in names if not n.startswith(("Image", "_")))
    settings = {name: vars(processor)[name] for name in SETTINGS if name in vars(processor)}
    content = json.dumps({"processor_class": own, **settings})
    (folder / "processor_config.json").write_text(content, encoding="utf-8")
    if processor.chat_template:
        (folder / "chat_template.jinja").write_text(processor.chat_template, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "family", ["idefics3", "smolvlm", "qwen2_vl", "llava_onevision", "gemma3", "internvl", "mllama"]
)
def test_a_model_is_loaded_with_what_reads_its_images(family: str, tmp_path: Path) -> None:
    tiny = build_vision(family)
    folder = saved(tiny, tmp_path)
    engine = headwise.load(str(folder))
    direct = TransformersEngine(tiny.model, tiny.processor)
    for found, expected in zip(
        engine.capture(SHOWN).values, direct.capture(SHOWN).values, strict=True
    ):
        assert torch.equal(found, expected)
    assert engine.fingerprint.difference(direct.fingerprint) == ()
    assert engine.fingerprint.image_processor


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved(build_vision("llava"), tmp_path)

    def fail(*args: object, **kwargs: object) -> None:
        raise ImportError("a package is missing")

    monkeypatch.setattr(AutoProcessor, "from_pretrained", fail)
    (folder / "preprocessor_config.json").unlink()
    engine = headwise.load(str(folder))
    assert len(engine.capture([Conversation.user("Hi")])) == 1
    with pytest.raises(InputError, match=r"processor.*a package is missing"):
        engine.capture(SHOWN)


def test_loading_changes_no_module_of_transformers(tmp_path: Path) -> None:
    folder = saved(build_vision("smolvlm"), tmp_path)
    module: Any = sys.modules["transformers.models.smolvlm.processing_smolvlm"]
    before = module.num2words
    headwise.load(str(folder))
    assert module.num2words is before
