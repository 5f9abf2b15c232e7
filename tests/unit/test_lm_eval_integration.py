"""headwise as a model of lm-evaluation-harness; skipped where the harness is not installed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from headwise.engines.transformers import TransformersEngine
from headwise.errors import EngineError, InputError
from headwise.examples import Example
from headwise.methods.sparse_attention_vectors import SparseAttentionVectors

pytest.importorskip("lm_eval", reason="lm-eval is heavy and optional")


def test_choices_have_the_classifiers_probabilities(
    tiny_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    from lm_eval.api.registry import get_model

    import headwise.integrations.lm_eval  # noqa: F401

    monkeypatch.setattr("headwise.engines.load.load", lambda name, **how: tiny_engine)
    support = [Example(f"{k} answer {n}", k) for n in range(4) for k in ("good", "no")]
    fitted = SparseAttentionVectors(n_heads=2).fit(tiny_engine, support)
    fitted.save_pretrained(f"{tmp_path}/fitted")
    model = get_model("headwise").create_from_arg_string(f"artifact={tmp_path}/fitted")
    contexts = ["a good answer", "no no", "a good answer"]
    asked = [SimpleNamespace(args=(c, f" {k}")) for c in contexts for k in ("no", "good")]
    answers = model.loglikelihood(asked, disable_tqdm=True)
    expected = fitted.predict_proba(contexts)
    found = np.exp([logprob for logprob, _ in answers]).reshape(3, 2)[:, ::-1]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    likeliest = np.array([is_best for _, is_best in answers]).reshape(3, 2)[:, ::-1]
    assert likeliest.argmax(1).tolist() == expected.argmax(1).tolist()
    assert likeliest.sum(1).tolist() == [1, 1, 1]
    with pytest.raises(InputError, match=r"'maybe', which is none of the classifier's classes"):
        model.loglikelihood([SimpleNamespace(args=("x", " maybe"))])
    for refused in (model.generate_until, model.loglikelihood_rolling):
        with pytest.raises(EngineError, match="multiple-choice"):
            refused([])
