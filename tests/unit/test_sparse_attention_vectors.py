"""Sparse attention vectors: one pass over the support, and the same classifier ever after."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from headwise import from_pretrained
from headwise.engines.base import Engine
from headwise.engines.transformers import TransformersEngine
from headwise.errors import ActivationError, ArtifactError, InputError
from headwise.examples import Example
from headwise.heads import HeadActivations, HeadSet
from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier
from headwise.methods.sparse_attention_vectors import SparseAttentionVectors
from headwise.methods.truncation import TruncationWarning
from headwise.prompts.conversation import Conversation
from tiny_models import family

WORDS = {
    "animal": ("cat", "dog", "cat and dog", "dog on the cat"),
    "place": ("mat", "system", "label", "the system on the label"),
    "answer": ("Yes", "No", "Yes or No", "good answer"),
}
# One way of asking for each of the choices that a fit has.
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "published": {"head_scoring": "resubstitution", "voting": "majority", "whitened": False},
    "majority": {"voting": "majority"},
    "chosen head count": {"n_heads": "auto"},
    "one head": {"n_heads": 1},
    "more heads than there are": {"n_heads": 1_000},
    "prompt": {"instruction": "Is this good? {text} Answer:", "system": "Yes or No"},
}


class CountingEngine:
    """An engine that remembers what was asked of it.

    Args:
        engine: The engine that answers.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.captured: list[tuple[int, HeadSet | None]] = []
        self.other_calls: list[str] = []

    def capture(
        self, conversations: Sequence[Conversation], heads: HeadSet | None = None, **options: Any
    ) -> HeadActivations:
        self.captured.append((len(conversations), heads))
        return self._engine.capture(conversations, heads, **options)

    def __getattr__(self, name: str) -> Any:
        if name in ("token_logprobs", "mask_losses", "generate"):
            self.other_calls.append(name)
        return getattr(self._engine, name)


def examples(n: int, *labels: str, start: int = 0) -> list[Example]:
    """`n` examples of each class, their texts all different, classes taking turns."""
    return [
        Example(f"{WORDS[label][number % 4]} {number} {WORDS[label][number % 3]}", label)
        for number in range(start, start + n)
        for label in labels or WORDS
    ]


def fit(engine: Engine, support: Sequence[Example], **how: Any) -> SparseAttentionClassifier:
    return SparseAttentionVectors(**how).fit(engine, support)


# --- Fitting ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", OPTIONS.values(), ids=OPTIONS.keys())
def test_a_fit_costs_one_pass_over_the_support(tiny_engine: Engine, how: dict[str, Any]) -> None:
    engine = CountingEngine(tiny_engine)
    support = examples(4)
    fit(engine, support, **how)  # type: ignore[arg-type]
    assert engine.captured == [(len(support), None)]
    assert engine.other_calls == []


@pytest.mark.parametrize("how", OPTIONS.values(), ids=OPTIONS.keys())
def test_what_was_learnt_carries_over(tiny_engine: Engine, how: dict[str, Any]) -> None:
    classifier = fit(tiny_engine, examples(6), **how)
    unseen = examples(8, start=20)
    # A third would be right by chance.
    assert classifier.score(unseen) > 0.5
    predicted = classifier.predict(unseen)
    right = [a == e.label for a, e in zip(predicted, unseen, strict=True)]
    assert classifier.score(unseen) == pytest.approx(float(np.mean(right)))


@pytest.mark.parametrize("how", OPTIONS.values(), ids=OPTIONS.keys())
def test_predictions_agree_with_one_another(tiny_engine: Engine, how: dict[str, Any]) -> None:
    classifier = fit(tiny_engine, examples(4), **how)
    queries = [e.text for e in examples(3, start=30)]
    decisions = classifier.decision_function(queries)
    probabilities = classifier.predict_proba(queries)
    assert decisions.shape == probabilities.shape == (9, 3)
    assert decisions.dtype == probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    assert (probabilities >= 0).all()
    assert (probabilities.argmax(axis=1) == decisions.argmax(axis=1)).all()
    best = [classifier.classes[number] for number in decisions.argmax(axis=1)]
    assert classifier.predict(queries) == best


def test_labels_of_queries_are_ignored(tiny_engine: Engine) -> None:
    classifier = fit(tiny_engine, examples(3))
    labelled = examples(2, start=9)
    assert classifier.predict(labelled) == classifier.predict([e.text for e in labelled])


def test_classes_are_the_columns_whatever_the_order_of_the_support(tiny_engine: Engine) -> None:
    support = examples(4)
    forwards, backwards = fit(tiny_engine, support), fit(tiny_engine, support[::-1])
    assert forwards.classes == backwards.classes == ("animal", "answer", "place")
    queries = examples(4, start=9)
    np.testing.assert_allclose(
        forwards.decision_function(queries), backwards.decision_function(queries), atol=1e-4
    )


@pytest.mark.parametrize(
    "support",
    [
        examples(1),
        examples(1, "animal", "place"),
        [*examples(9, "animal"), *examples(1, "place"), *examples(2, "answer")],
    ],
    ids=["one shot", "two classes of one", "unbalanced"],
)
@pytest.mark.parametrize("n_heads", [20, "auto"])
def test_small_and_lopsided_supports_fit(
    tiny_engine: Engine, support: list[Example], n_heads: Any
) -> None:
    classifier = fit(tiny_engine, support, n_heads=n_heads)
    assert classifier.score(support) > 0.7
    counts = classifier.statistics.examples_per_class
    assert sum(counts.values()) == classifier.statistics.n_examples == len(support)
    assert np.isfinite(classifier.predict_proba(support)).all()


def test_one_example_a_class_leaves_nothing_to_validate_on(tiny_engine: Engine) -> None:
    assert fit(tiny_engine, examples(1)).statistics.held_out_accuracy is None
    assert fit(tiny_engine, examples(3)).statistics.held_out_accuracy is not None


@pytest.mark.parametrize("n_heads", [20, "auto"])
def test_many_classes_fit(tiny_engine: Engine, n_heads: Any) -> None:
    support = [
        Example(f"{number} {number} {word}", f"class {number:03}")
        for number in range(150)
        for word in ("cat", "cat on")
    ]
    classifier = fit(tiny_engine, support, n_heads=n_heads)
    assert len(classifier.classes) == 150
    assert classifier.predict_proba(support[:5]).shape == (5, 150)
    assert classifier.score(support) > 0.5


def test_held_out_accuracy_of_meaningless_labels_is_no_better_than_chance(
    tiny_engine: Engine,
) -> None:
    random = np.random.default_rng(0)
    found = []
    for _ in range(6):
        labels = random.permutation(["left", "right"] * 12)
        support = [
            Example(e.text, str(label)) for e, label in zip(examples(8), labels, strict=True)
        ]
        found.append(fit(tiny_engine, support).statistics.held_out_accuracy)
    assert 0.3 < float(np.mean(found)) < 0.7


def test_the_same_fit_twice_is_the_same(tiny_engine: Engine) -> None:
    first, second = (fit(tiny_engine, examples(5), n_heads="auto", seed=3) for _ in range(2))
    assert first.heads == second.heads
    assert first.scale == second.scale
    queries = examples(3, start=9)
    assert np.array_equal(first.decision_function(queries), second.decision_function(queries))


def test_a_fit_keeps_the_heads_asked_for(tiny_engine: Engine) -> None:
    assert len(fit(tiny_engine, examples(3), n_heads=4).heads) == 4
    assert len(fit(tiny_engine, examples(3), n_heads=1_000).heads) == tiny_engine.layout.n_heads
    assert 1 <= len(fit(tiny_engine, examples(3), n_heads="auto").heads) <= 18


# --- Predicting ------------------------------------------------------------------------------


def test_a_prediction_is_the_same_alone_and_in_a_batch(tiny_engine: Engine) -> None:
    classifier = fit(tiny_engine, examples(4))
    queries = [*examples(3, start=9), Example("cat " * 40), Example("a")]
    together = classifier.decision_function(queries)
    alone = np.concatenate([classifier.decision_function([query]) for query in queries])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_a_prediction_stops_at_the_deepest_kept_head(
    tiny_engine: Engine, tiny_model: PreTrainedModel
) -> None:
    activations = tiny_engine.capture([Conversation.completion(e.text) for e in examples(4)])
    labels = torch.arange(12) % 2
    # Of the middle layer's heads one knows everything.
    activations.values[1][:, 2, 0] += 50.0 * labels
    classifier = SparseAttentionVectors(n_heads=1).fit_activations(
        tiny_engine, activations, labels, ("no", "yes")
    )
    assert classifier.heads.deepest_layer == 1
    run: list[int] = []
    layers = tiny_model.get_submodule("model.layers")
    assert isinstance(layers, nn.ModuleList)
    handles = [
        layer.register_forward_pre_hook(lambda module, args, number=number: run.append(number))
        for number, layer in enumerate(layers)
    ]
    try:
        classifier.predict(["cat", "dog"])
    finally:
        for handle in handles:
            handle.remove()
    assert set(run) == {0, 1}


def test_a_prediction_asks_for_the_kept_heads_only(tiny_engine: Engine) -> None:
    engine = CountingEngine(tiny_engine)
    classifier = fit(engine, examples(3), n_heads=2)  # type: ignore[arg-type]
    engine.captured.clear()
    classifier.predict_proba(examples(5))
    assert engine.captured == [(15, classifier.heads)]


def test_no_queries_have_no_answers(tiny_engine: Engine) -> None:
    classifier = fit(tiny_engine, examples(3))
    assert classifier.predict([]) == []
    assert classifier.predict_proba([]).shape == (0, 3)


def test_fields_go_into_the_prompt(tiny_engine: Engine) -> None:
    def asked(word: str, n: int) -> Example:
        return Example("the same text", word, {"word": f"{word} {n}"})

    support = [asked(word, n) for n in range(5) for word in ("Yes", "dog")]
    classifier = fit(tiny_engine, support, instruction="{text}: {word}")
    assert classifier.score([asked("Yes", 9), asked("dog", 9)]) == 1.0
    with pytest.raises(InputError, match=r"\{word\}"):
        classifier.predict(["the same text"])


# --- Long texts ------------------------------------------------------------------------------


def test_long_texts_are_cut_counted_and_reported(tiny_engine: Engine) -> None:
    support = [*examples(2), Example("cat " * 50, "animal"), Example("label " * 60, "place")]
    with pytest.warns(TruncationWarning, match="2 texts longer than 24 tokens") as caught:
        classifier = fit(tiny_engine, support, max_text_tokens=24)
    assert len(caught) == 1
    removed = re.search(r"\((\d+) tokens left out\)", str(caught[0].message))
    assert removed is not None
    tokens = sum(tiny_engine.truncate(e.text, 24).n_tokens_removed for e in support)
    assert int(removed[1]) == tokens > 0
    assert "max_text_tokens" in str(caught[0].message)
    with pytest.warns(TruncationWarning, match="1 texts"):
        classifier.predict(["cat", "dog " * 50])


@pytest.mark.filterwarnings("error::headwise.methods.truncation.TruncationWarning")
def test_short_texts_are_not_reported(tiny_engine: Engine) -> None:
    fit(tiny_engine, examples(2)).predict(examples(2))


# --- Saving ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", OPTIONS.values(), ids=OPTIONS.keys())
def test_a_saved_classifier_comes_back_bit_for_bit(
    tiny_engine: Engine, tmp_path: Path, how: dict[str, Any]
) -> None:
    classifier = fit(tiny_engine, examples(4), **how)
    classifier.save_pretrained(tmp_path / "saved")
    loaded = from_pretrained(tmp_path / "saved", engine=tiny_engine)
    assert isinstance(loaded, SparseAttentionClassifier)
    queries = examples(4, start=9)
    assert np.array_equal(loaded.decision_function(queries), classifier.decision_function(queries))
    assert np.array_equal(loaded.predict_proba(queries), classifier.predict_proba(queries))
    for name in ("classes", "heads", "scale", "statistics", "prompt", "max_text_tokens"):
        assert getattr(loaded, name) == getattr(classifier, name), name
    assert repr(loaded) == repr(classifier)


def test_another_model_is_refused_with_both_fingerprints(
    tiny_engine: Engine, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    fit(tiny_engine, examples(3)).save_pretrained(tmp_path / "saved")
    model = family("llama").build()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    other = TransformersEngine(model, tiny_tokenizer, model_id="other-llama")
    for load in (from_pretrained, SparseAttentionClassifier.from_pretrained):
        with pytest.raises(ArtifactError) as caught:
            load(tmp_path / "saved", engine=other)
        for fingerprint in (tiny_engine.fingerprint, other.fingerprint):
            assert fingerprint.weights_hash in str(caught.value)
            assert fingerprint.model_id in str(caught.value)


# --- Bad input -------------------------------------------------------------------------------


def test_score_refuses_labels_it_cannot_know(tiny_engine: Engine) -> None:
    classifier = fit(tiny_engine, examples(2))
    with pytest.raises(InputError, match="Example 1 has the label 'weather'"):
        classifier.score([examples(1)[0], Example("rain", "weather")])
    with pytest.raises(InputError, match="label None"):
        classifier.score([Example("cat")])
    with pytest.raises(InputError, match="one example at least"):
        classifier.score([])


@pytest.mark.parametrize(
    "support",
    [
        [],
        examples(4, "animal"),
        [*examples(2), Example("cat")],
        [Example("same", "a"), Example("same", "b")],
    ],
    ids=["none", "one class", "no label", "the same text in every class"],
)
def test_a_support_that_teaches_nothing_is_an_error(
    tiny_engine: Engine, support: list[Example]
) -> None:
    with pytest.raises(InputError):
        fit(tiny_engine, support)


def test_a_text_in_two_classes_does_not_stop_the_fit(tiny_engine: Engine) -> None:
    support = [
        Example(text, label)
        for text, label in (("it", "a"), ("cat", "a"), ("it", "b"), ("No", "b"))
    ]
    for seed in range(6):
        assert fit(tiny_engine, support, seed=seed).predict(["cat", "No"]) == ["a", "b"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_heads": 0},
        {"n_heads": -1},
        {"n_heads": "many"},
        {"n_heads": 2.5},
        {"head_scoring": "bootstrap"},
        {"voting": "loud"},
        {"instruction": " "},
        {"max_text_tokens": 7},
    ],
    ids=str,
)
def test_settings_out_of_range_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        SparseAttentionVectors(**wrong)


def test_a_model_that_gives_nan_is_an_error(tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    model = family("llama").build()
    with torch.no_grad():
        model.get_parameter("model.layers.1.self_attn.v_proj.weight")[0, 0] = float("nan")
    engine = TransformersEngine(model, tiny_tokenizer, verify_layout=False)
    with pytest.raises(ActivationError, match="layer 1"):
        fit(engine, examples(2))


def test_the_published_settings() -> None:
    paper = SparseAttentionVectors.paper(instruction="Q: {text}", system="S")
    assert (paper.n_heads, paper.head_scoring) == (20, "resubstitution")
    assert (paper.voting, paper.whitened) == ("majority", False)
    assert (paper.instruction, paper.system) == ("Q: {text}", "S")
