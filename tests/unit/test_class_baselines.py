"""Classifiers to compare with: one contract for all of them, on text and on images."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from scripted_engine import ScriptedEngine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from headwise.baselines.features import FeatureSettings
from headwise.baselines.generated_classes import UNREAD, UnreadWarning
from headwise.baselines.in_context import InContextBaseline
from headwise.baselines.label_likelihood import LikelihoodClassifier
from headwise.baselines.linear_probe import STRENGTHS, fit_probe
from headwise.baselines.lora import LoraBaseline, LoraClassifier, held_out_rows
from headwise.baselines.lora_training import LoraTraining
from headwise.baselines.named import CLASSIFIERS, ClassifierOptions, classifier_method
from headwise.baselines.nearest_neighbour import NearestNeighbourBaseline
from headwise.baselines.probes import ProbeBaseline
from headwise.baselines.shots import DroppedShotsWarning, ShotBudget, balanced_order
from headwise.baselines.zero_shot_classes import ZeroShotBaseline, ZeroShotGeneratedBaseline
from headwise.engines.base import TruncatedText
from headwise.engines.transformers import TransformersEngine
from headwise.errors import EngineError, InputError
from headwise.examples import Example
from headwise.prompts.answer_reading import read_class
from headwise.prompts.class_choice import ClassChoicePrompt
from seeing_engine import COLORS, SeeingEngine, colored, said
from tiny_models import family
from tiny_tokenizer import build_tokenizer
from tiny_vision_models import build_vision

WORDS = ("cat", "dog")


def texts(n: int = 4) -> list[Example]:
    return [Example(f"the {word} sat on {k}", word) for k in range(n) for word in WORDS]


def pictures(n: int = 4) -> list[Example]:
    return [
        Example(label=color, images=(colored(color, shade),))
        for shade in range(n)
        for color in COLORS
    ]


@pytest.fixture(scope="module")
def llava() -> TransformersEngine:
    tiny = build_vision("llava")
    return TransformersEngine(tiny.model, tiny.processor, model_id="tiny-llava")


class Scripted(ScriptedEngine):
    """Whose texts are never cut."""

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        return TruncatedText(text, 0)


# --- One contract ------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::headwise.baselines.generated_classes.UnreadWarning")
@pytest.mark.filterwarnings("ignore::headwise.baselines.shots.DroppedShotsWarning")
@pytest.mark.parametrize("shown", ["texts", "images"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_keeps_the_contract(
    name: str, shown: str, llava: TransformersEngine
) -> None:
    if name == "lora":
        pytest.importorskip("peft")
    support, classes = (texts(), WORDS) if shown == "texts" else (pictures(2), sorted(COLORS))
    classifier = classifier_method(name).fit(llava, support[::-1])
    assert classifier.classes == tuple(classes)
    asked = [Example(one.text, images=one.images) for one in support[:3]]
    shares = classifier.predict_proba(asked)
    assert shares.shape == (3, len(classes))
    assert shares.dtype == np.float64
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-9)
    assert (shares >= 0).all()
    predicted = classifier.predict(asked)
    likeliest = [classes[number] for number in shares.argmax(1)]
    assert [one or alike for one, alike in zip(predicted, likeliest, strict=True)] == likeliest
    alone = np.concatenate([classifier.predict_proba([one]) for one in asked])
    np.testing.assert_allclose(alone, shares, atol=1e-4)
    with pytest.raises(InputError):
        classifier_method(name).fit(llava, support[:1])


def test_options_reach_every_named_classifier() -> None:
    options = ClassifierOptions("Topic of {text}?", "Be brief.", 99, 7)
    for name in CLASSIFIERS:
        shown = repr(classifier_method(name, options))
        assert "Topic of {text}?" in shown, name
        assert "Be brief." in shown, name
        assert "99" in shown or name == "sav-paper", name
    for name in ("sav", "in-context", "probe", "probe-hidden", "lora"):
        assert "seed=7" in repr(classifier_method(name, options)), name
    with pytest.raises(InputError, match="choose sav, sav-paper"):
        classifier_method("svm")


# --- Zero-shot ---------------------------------------------------------------------------------


def test_likelihood_is_the_softmax_of_the_names_log_probabilities(
    llava: TransformersEngine,
) -> None:
    labels = ("Yes", "a good answer")
    examples = [Example("the cat"), Example("Hi", images=(colored("red"),))]
    prompts = [ClassChoicePrompt(labels).query(one) for one in examples]
    assert prompts[0].messages[-1].text.endswith("nothing else: Yes, a good answer.")
    sums = llava.token_logprobs(prompts, labels)
    found = ZeroShotBaseline(labels).fit(llava).predict_proba(examples)
    np.testing.assert_allclose(found, sums.softmax(1), atol=1e-5)
    by_byte = ZeroShotBaseline(labels, "per_byte").fit(llava).decision_function(examples)
    np.testing.assert_allclose(by_byte, sums / torch.tensor([3, 13]), atol=1e-5)
    first = ZeroShotBaseline(labels, "first_token").fit(llava).decision_function(examples)
    tokens = [llava._encoder.encode_targets(one, labels)[1][0] for one in prompts]
    begun = [llava.tokenizer.decode([token]) for token in tokens]
    expected = [float(llava.token_logprobs([p], [b])) for p, b in zip(prompts, begun, strict=True)]
    np.testing.assert_allclose(first[:, 1], expected, atol=1e-4)


def test_what_is_written_is_read_and_what_names_no_class_is_counted() -> None:
    replies = {"one": "Cat.", "two": "It is a dog", "three": "cat or dog", "four": "fish"}
    engine: Any = Scripted(lambda text: replies[text.split("\n")[0]])
    classifier = ZeroShotGeneratedBaseline(max_new_tokens=9).fit(engine, texts())
    with pytest.warns(UnreadWarning, match="2 of 4 answers"):
        assert classifier.predict(list(replies)) == ["cat", "dog", UNREAD, UNREAD]
    assert engine.batches[0][1].max_new_tokens == 9
    with pytest.warns(UnreadWarning):
        shares = classifier.predict_proba(list(replies))
    assert shares.tolist() == [[1, 0], [0, 1], [0.5, 0.5], [0.5, 0.5]]
    with pytest.warns(UnreadWarning):
        assert classifier.read(list(replies)).n_unread == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A", None),
        ("very positive", "very positive"),
        ("The answer is: positive.", "positive"),
        ("I think it's **Very Positive**!", "very positive"),
        ("a cat", None),
        ("", None),
    ],
)
def test_classes_are_read(text: str, found: str | None) -> None:
    assert read_class(text, ("positive", "very positive", "a")) == found or found is None
    assert read_class(text, ("positive", "very positive")) == found


# --- In context --------------------------------------------------------------------------------


def test_worked_examples_are_shown_in_balance_with_their_pictures() -> None:
    engine: Any = SeeingEngine()
    support = pictures(3)
    classifier = InContextBaseline(ShotBudget(most=6)).fit(engine, support)
    assert (classifier.shots.n_shots, classifier.shots.n_dropped) == (6, 0)
    asked = Example(label="secret", images=(colored("green", 9),))
    assert classifier.predict([asked]) == ["green"]
    [conversation] = engine.shown
    turns = conversation.messages
    assert [turn.role for turn in turns] == ["user", "assistant"] * 6 + ["user"]
    answers = [turn.text for turn in turns[1::2]]
    assert sorted(answers[:3]) == sorted(answers[3:]) == sorted(COLORS)
    shown = said(conversation)
    assert "secret" not in shown
    for question, answer in zip(turns[::2], answers, strict=False):
        assert question.text.strip() == ClassChoicePrompt(tuple(sorted(COLORS))).request
        assert f"<{answer}>" in said(type(conversation)((question,)))


def test_examples_beyond_the_budget_are_counted_and_said() -> None:
    engine = TransformersEngine(family("llama").build(), build_tokenizer())
    support = [*texts(2), Example("the cat " * 300, "cat")]
    with pytest.warns(DroppedShotsWarning, match="1 of 5 worked examples"):
        classifier = InContextBaseline().fit(engine, support)
    # Half of this model's window of 512 tokens.
    assert classifier.shots.n_dropped == 1
    assert classifier.shots.n_tokens <= 256
    assert isinstance(classifier, LikelihoodClassifier)
    with pytest.warns(DroppedShotsWarning):
        none = InContextBaseline(ShotBudget(max_tokens=1)).fit(engine, texts())
    assert none.shots.n_shots == 0
    zero_shot = ZeroShotBaseline().fit(engine, texts())
    np.testing.assert_allclose(none.predict_proba(["Hi"]), zero_shot.predict_proba(["Hi"]))


def test_shown_tokens_are_those_that_the_prompt_grows_by() -> None:
    engine = TransformersEngine(family("llama").build(), build_tokenizer())
    classifier = InContextBaseline().fit(engine, texts(2))
    zero_shot = ZeroShotBaseline().fit(engine, texts(2))
    both = [
        engine.count_tokens(c.questions.conversations(["Hi"]))[0] for c in (classifier, zero_shot)
    ]
    assert both[0] - both[1] == classifier.shots.n_tokens


def test_answers_in_context_may_be_generated() -> None:
    engine: Any = Scripted(lambda text: "a dog")
    classifier = InContextBaseline(readout="generated").fit(engine, texts())
    assert classifier.predict(["Hi"]) == ["dog"]
    assert len(engine.batches[0][0][0].messages) == 17


@pytest.mark.parametrize("seed", range(3))
def test_every_beginning_of_the_order_is_balanced(seed: int) -> None:
    labels = ["a"] * 5 + ["b"] * 2 + ["c"] * 3
    order = balanced_order(labels, seed)
    assert sorted(order) == list(range(10))
    assert order == balanced_order(labels, seed)
    shown = [labels[row] for row in order]
    assert sorted(shown[:3]) == sorted(shown[3:6]) == ["a", "b", "c"]
    assert sorted(shown[6:8]) == ["a", "c"]


def test_seeds_draw_different_orders() -> None:
    labels = ["a", "b"] * 8
    assert len({tuple(balanced_order(labels, seed)) for seed in range(4)}) == 4


# --- Probes and neighbours ---------------------------------------------------------------------


def test_a_probe_finds_what_two_of_six_heads_hold() -> None:
    engine: Any = SeeingEngine()
    unseen = [Example(images=(colored(c, 9),)) for c in COLORS]
    for method in (
        ProbeBaseline(),
        NearestNeighbourBaseline(FeatureSettings("heads"), k=3),
    ):
        assert method.fit(engine, pictures(5)).predict(unseen) == list(COLORS)
    with pytest.raises(EngineError, match="no hidden states"):
        ProbeBaseline(FeatureSettings("hidden")).fit(engine, pictures())


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_probe_is_scikit_learns_regression(n_classes: int) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(24) % n_classes
    features = random.normal(size=(24, 40)) + np.eye(n_classes, 40)[labels] * 2
    features[:, 7] = 3.0  # One that never varies.
    probe = fit_probe(features, labels)
    assert probe.validated
    assert probe.strength in STRENGTHS
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=probe.strength, max_iter=1000, tol=1e-6)
    )
    unseen = random.normal(size=(9, 40))
    expected = model.fit(features, labels).predict_proba(unseen)
    np.testing.assert_allclose(probe.probabilities(unseen), expected, atol=1e-4)
    few = fit_probe(features[:n_classes], labels[:n_classes])
    assert not few.validated
    assert (few.probabilities(features[:n_classes]).argmax(1) == labels[:n_classes]).all()


def test_neighbours_vote_and_the_nearer_ones_break_ties() -> None:
    engine: Any = SeeingEngine()
    settings = FeatureSettings("heads")
    one = NearestNeighbourBaseline(settings).fit(engine, pictures(2))
    assert one.predict(pictures(2)) == [str(example.label) for example in pictures(2)]
    assert set(one.predict_proba(pictures(2)).ravel().tolist()) == {0.0, 1.0}
    two = [*pictures(1)[:2]]
    both = NearestNeighbourBaseline(settings, k=5).fit(engine, two)
    assert both.k == 2
    # Votes of 1 + 2/6 and 1 + 1/6.
    shares = both.predict_proba(two[:1])[0]
    assert sorted(shares.tolist()) == pytest.approx([7 / 15, 8 / 15])
    assert both.predict(two) == [str(example.label) for example in two]
    with pytest.raises(InputError):
        NearestNeighbourBaseline(k=0)


# --- LoRA --------------------------------------------------------------------------------------


def test_lora_learns_the_support_set_and_leaves_the_engine_as_it_was() -> None:
    pytest.importorskip("peft")
    engine = TransformersEngine(family("llama").build(), build_tokenizer())
    support = texts(4)
    zero_shot = ZeroShotBaseline().fit(engine, support)
    before = zero_shot.decision_function(support)
    how = LoraTraining(learning_rate=5e-3, epochs=15, patience=15)
    classifier = LoraBaseline(how).fit(engine, support)
    assert isinstance(classifier, LoraClassifier)
    assert classifier.n_held_out == 2
    losses = classifier.trained.held_out_losses
    assert losses[classifier.trained.best_epoch] == min(losses) < losses[0]
    rights = [WORDS.index(str(one.label)) for one in support]
    likely = classifier.predict_proba(support)[range(8), rights].mean()
    assert likely > zero_shot.predict_proba(support)[range(8), rights].mean() + 0.1
    assert (zero_shot.decision_function(support) == before).all()
    again = LoraBaseline(how).fit(engine, support).predict_proba(support)
    np.testing.assert_array_equal(again, classifier.predict_proba(support))


def test_rows_are_held_out_of_every_class_that_has_enough() -> None:
    labels = ["a"] * 8 + ["b"] * 3 + ["c"] * 4
    rows = held_out_rows(labels, 0.25, 0)
    assert sorted(labels[row] for row in rows) == ["a", "a", "c"]
    assert rows == held_out_rows(labels, 0.25, 0)
    assert held_out_rows(["a", "b"], 0.5, 0) == frozenset()
    assert len(held_out_rows(["a"] * 4, 0.99, 0)) == 3


# --- What cannot be ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: ZeroShotBaseline(("only",)),
        lambda: ZeroShotBaseline(("a", "a")),
        lambda: ZeroShotBaseline(likelihood="mean"),  # type: ignore[arg-type]
        lambda: ZeroShotGeneratedBaseline(max_new_tokens=0),
        lambda: InContextBaseline(readout="text"),  # type: ignore[arg-type]
        lambda: InContextBaseline(instruction=" "),
        lambda: ShotBudget(most=0),
        lambda: FeatureSettings("pixels"),  # type: ignore[arg-type]
        lambda: LoraBaseline(held_out_share=1.0),
    ],
)
def test_settings_out_of_range_are_refused(make: Any) -> None:
    with pytest.raises(InputError):
        make()


def test_a_server_generates_and_scores_and_says_what_it_cannot() -> None:
    pytest.importorskip("openai")
    from headwise.engines.openai import OpenAIEngine
    from openai_server import openai_server
    from openai_server import said as replied

    top = [
        {"token": w, "logprob": math.log(p), "bytes": None} for w, p in [("cat", 0.3), ("dog", 0.6)]
    ]
    logprobs = {"content": [{**top[1], "top_logprobs": top}]}
    with (
        openai_server(lambda *_: replied("dog", logprobs=logprobs)) as seen,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        engine = OpenAIEngine("m", seen.url)
        shares = ZeroShotBaseline().fit(engine, texts()).predict_proba(["Hi"])
        np.testing.assert_allclose(shares, [[1 / 3, 2 / 3]])
        assert InContextBaseline(readout="generated").fit(engine, texts()).predict(["x"]) == ["dog"]
        assert len(seen.requests[-1][1]["messages"]) == 17
        for name in ("sav", "probe", "nearest-neighbour", "lora"):
            with pytest.raises(EngineError):
                classifier_method(name).fit(engine, texts())
