"""The scikit-learn estimators: they behave as estimators do, and run each example once."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from number_engine import NumberEngine
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import headwise.integrations.sklearn.held_engine as held_engine
from headwise import from_pretrained
from headwise.engines.activation_cache import ActivationCache, capture_once
from headwise.engines.base import Engine
from headwise.engines.transformers import TransformersEngine
from headwise.errors import ArtifactError, InputError
from headwise.examples import Example
from headwise.heads import HeadActivations, HeadIndex, HeadSet
from headwise.integrations.sklearn import HeadFeatures, SAVClassifier, SharedEngine
from headwise.methods.sparse_attention_vectors import SparseAttentionVectors
from headwise.prompts.conversation import Conversation

WORDS = {"animal": ("cat", "dog", "cow"), "place": ("mat", "yard", "room")}
TEXTS = [f"{WORDS[name][n % 3]} {n} {WORDS[name][n % 2]}" for n in range(8) for name in WORDS]
LABELS = [name for _ in range(8) for name in WORDS]


class CountingEngine:
    """An engine that counts the conversations it is shown, and refuses to be copied."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.shown: list[Conversation] = []

    def capture(
        self, conversations: Sequence[Conversation], heads: HeadSet | None = None, **options: Any
    ) -> HeadActivations:
        self.shown += conversations
        return self._engine.capture(conversations, heads, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._engine, name)

    def __deepcopy__(self, memo: object) -> Any:
        raise AssertionError("A model was copied.")


@pytest.fixture
def engine(tiny_engine: TransformersEngine) -> CountingEngine:
    return CountingEngine(tiny_engine)


@pytest.fixture
def named_engine(
    engine: CountingEngine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CountingEngine]:
    """What the name "tiny" loads."""
    held_engine._loaded.cache_clear()
    monkeypatch.setattr("headwise.engines.load.load", lambda name: engine)
    yield engine
    held_engine._loaded.cache_clear()


def folds(n: int = 2) -> StratifiedKFold:
    return StratifiedKFold(n)


def test_the_estimator_predicts_what_the_method_does(engine: CountingEngine) -> None:
    support = [Example(text, label) for text, label in zip(TEXTS, LABELS, strict=True)]
    expected = SparseAttentionVectors(n_heads=4, instruction="Look: {text}").fit(engine, support)
    fitted = SAVClassifier(engine, n_heads=4, instruction="Look: {text}").fit(TEXTS, LABELS)
    queries = ["cat in a room", "a yard", "dog 3"]
    assert fitted.predict(queries).tolist() == expected.predict(queries)
    np.testing.assert_allclose(
        fitted.predict_proba(queries), expected.predict_proba(queries), atol=1e-5
    )
    decisions = expected.decision_function(queries)
    np.testing.assert_allclose(
        fitted.decision_function(queries), decisions[:, 1] - decisions[:, 0], atol=1e-5
    )
    assert fitted.classes_.tolist() == ["animal", "place"]
    assert fitted.score(queries, ["animal"] * 3) == np.mean(fitted.predict(queries) == "animal")


@pytest.mark.parametrize(
    "labels",
    [
        np.arange(16) % 3 + 9,
        np.arange(16) % 2 == 0,
        np.array(["b", "a"] * 8, dtype=object),
        np.arange(16) % 2 + 0.0,
    ],
    ids=["int", "bool", "object", "float"],
)
def test_labels_come_back_as_they_were(
    engine: CountingEngine, labels: np.ndarray, tmp_path: Path
) -> None:
    fitted = SAVClassifier(engine, n_heads=2).fit(TEXTS, labels)
    assert fitted.classes_.tolist() == np.unique(labels).tolist()
    assert fitted.classes_.dtype == labels.dtype
    assert set(fitted.predict(TEXTS).tolist()) <= set(labels.tolist())
    probabilities = fitted.predict_proba(TEXTS)
    assert probabilities.shape == (16, len(fitted.classes_))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    fitted.save_pretrained(tmp_path / "kept")
    kept = SAVClassifier.from_pretrained(tmp_path / "kept", engine)
    assert kept.classes_.tolist() == fitted.classes_.tolist()
    assert kept.predict(TEXTS).tolist() == fitted.predict(TEXTS).tolist()
    assert kept.get_params() == {**fitted.get_params(), "n_heads": 2}


def test_a_grid_over_heads_and_voting_shows_the_model_each_example_once(
    engine: CountingEngine,
) -> None:
    search = GridSearchCV(
        SAVClassifier(engine),
        {"n_heads": np.array([1, 2, 4]), "voting": np.array(["soft", "majority"])},
        cv=folds(),
        error_score="raise",
    ).fit(TEXTS, LABELS)
    assert len(engine.shown) == len(set(TEXTS))
    assert search.best_estimator_.engine is engine
    search.predict(TEXTS)
    assert len(engine.shown) == len(set(TEXTS))
    cross_val_score(SAVClassifier(engine, instruction="{text}?"), TEXTS, LABELS, cv=folds())
    assert len(engine.shown) == 2 * len(set(TEXTS))


def test_scores_do_not_depend_on_the_cache(engine: CountingEngine) -> None:
    scores = [
        cross_val_score(
            SAVClassifier(engine, n_heads=3, cache_mib=size), TEXTS, LABELS, cv=folds(4)
        )
        for size in (512, 0)
    ]
    np.testing.assert_array_equal(*scores)
    # Without it every fold runs every example: those it fits on and those it scores.
    assert len(engine.shown) == len(TEXTS) + 4 * len(TEXTS)


def test_without_a_cache_prediction_stops_at_the_deepest_head(
    engine: CountingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = SAVClassifier(engine, n_heads=1, cache_mib=0).fit(TEXTS, LABELS)
    asked: list[HeadSet | None] = []
    capture = engine.capture

    def spied(conversations: Any, heads: Any = None, **options: Any) -> HeadActivations:
        asked.append(heads)
        return capture(conversations, heads, **options)

    monkeypatch.setattr(engine, "capture", spied)
    fitted.predict(TEXTS)
    assert asked == [fitted.classifier_.heads]


def test_the_cache_gives_what_the_engine_gives_and_forgets_what_was_used_longest_ago(
    engine: CountingEngine,
) -> None:
    conversations = [Conversation.user(text) for text in ("a", "b", "a", "c")]
    row = sum(e.n_heads * e.head_dim for e in engine.layout.layers) * 4
    cache = ActivationCache(2 * row)
    heads = HeadSet.of([(2, 1), (0, 3)])
    for wanted in (None, heads):
        expected = engine._engine.capture(conversations, wanted)
        found = capture_once(engine, conversations, wanted, cache)
        assert found.layout == expected.layout
        for mine, theirs in zip(found.values, expected.values, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-5)
    assert len(cache) == 2
    engine.shown.clear()
    capture_once(engine, conversations[3:], None, cache)
    capture_once(engine, [Conversation.user("d")], None, cache)
    capture_once(engine, conversations[3:], None, cache)
    assert engine.shown == [Conversation.user("d")]
    cache.shrink(0)
    assert len(cache) == 0


def test_an_engine_that_cannot_be_told_apart_needs_no_cache() -> None:
    class Unhashable(NumberEngine):
        __hash__ = None  # type: ignore[assignment]

    numbers, labels = ["1 2", "1 3", "7 2", "8 1"], ["x", "x", "y", "y"]
    with pytest.raises(InputError, match="cache_mib=0"):
        SAVClassifier(Unhashable(), n_heads=1).fit(numbers, labels)
    fitted = SAVClassifier(Unhashable(), n_heads=1, cache_mib=0).fit(numbers, labels)
    assert fitted.predict(["1 2.5", "7.5 1"]).tolist() == ["x", "y"]


def test_a_model_is_never_copied(engine: CountingEngine) -> None:
    fitted = SAVClassifier(engine, n_heads=2).fit(TEXTS, LABELS)
    assert clone(fitted).engine is engine
    copied = copy.deepcopy(fitted)
    assert copied.engine is engine
    assert copied.classifier_.engine is engine
    assert copied.predict(TEXTS).tolist() == fitted.predict(TEXTS).tolist()
    piped = clone(make_pipeline(FunctionTransformer(), SAVClassifier(engine)))
    assert piped[-1].engine is engine
    bag = BaggingClassifier(
        make_pipeline(FunctionTransformer(np.ravel), SAVClassifier(engine, n_heads=1)), 3
    )
    bag.fit(np.array(TEXTS, dtype=object)[:, None], LABELS)
    assert [one[-1].engine is engine for one in bag.estimators_] == [True] * 3
    grid = {"engine": [SharedEngine(engine), SharedEngine(engine)]}
    GridSearchCV(SAVClassifier(n_heads=1), grid, cv=folds(), error_score="raise").fit(TEXTS, LABELS)


def test_a_held_engine_is_not_pickled_and_the_error_says_what_to_do(engine: CountingEngine) -> None:
    for held in (engine, SharedEngine(engine)):
        with pytest.raises(InputError, match=r"engine='embedded'.*save_pretrained"):
            pickle.dumps(SAVClassifier(held, n_heads=2).fit(TEXTS, LABELS))


def test_a_named_engine_is_loaded_once_and_not_part_of_the_pickle(
    named_engine: CountingEngine,
) -> None:
    fitted = SAVClassifier("tiny", n_heads=2).fit(TEXTS, LABELS)
    scaled = HeadFeatures("tiny", heads=2).fit(TEXTS, LABELS)
    packed = pickle.dumps((fitted, scaled))
    assert b"TransformersEngine" not in packed
    assert b"CountingEngine" not in packed
    again, features = pickle.loads(packed)  # noqa: S301
    assert again.predict(TEXTS).tolist() == fitted.predict(TEXTS).tolist()
    np.testing.assert_array_equal(features.transform(TEXTS), scaled.transform(TEXTS))
    assert again.classifier_.engine is named_engine
    results = cross_validate(
        SAVClassifier("tiny", n_heads=2), TEXTS, LABELS, cv=folds(), return_estimator=True
    )
    assert len(pickle.loads(pickle.dumps(results))["estimator"]) == 2  # noqa: S301


def test_artifacts_go_both_ways(engine: CountingEngine, tmp_path: Path) -> None:
    support = [Example(text, label) for text, label in zip(TEXTS, LABELS, strict=True)]
    made = SparseAttentionVectors(n_heads=3, voting="majority").fit(engine, support)
    made.save_pretrained(tmp_path / "theirs")
    ours = SAVClassifier.from_pretrained(tmp_path / "theirs", engine, cache_mib=0)
    assert (ours.n_heads, ours.voting, ours.cache_mib) == (3, "majority", 0)
    assert ours.predict(TEXTS).tolist() == made.predict(TEXTS)
    assert clone(ours).fit(TEXTS, LABELS).predict(TEXTS).tolist() == made.predict(TEXTS)
    ours.save_pretrained(tmp_path / "ours")
    loaded: Any = from_pretrained(tmp_path / "ours", engine=engine)
    assert loaded.predict(TEXTS) == made.predict(TEXTS)
    with pytest.raises(ArtifactError, match="nowhere"):
        SAVClassifier.from_pretrained(tmp_path / "nowhere", engine)


def test_data_frames_fill_the_places_of_the_instruction(engine: CountingEngine) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"body": TEXTS, "source": ["mail", 7] * 8, "other": [None] * 16})
    how = {"instruction": "{source} says: {text}", "text_column": "body", "n_heads": 2}
    scores = cross_val_score(
        SAVClassifier(engine, **how), frame, pandas.Series(LABELS), cv=folds(), error_score="raise"
    )
    assert scores.shape == (2,)
    shown = {conversation.messages[0].content for conversation in engine.shown}
    assert shown == {f"{('mail', '7')[n % 2]} says: {text}" for n, text in enumerate(TEXTS)}
    by_column = SAVClassifier(engine, instruction="{body}", n_heads=2).fit(frame, LABELS)
    by_series = SAVClassifier(engine, n_heads=2).fit(frame["body"], LABELS)
    assert by_column.predict(frame).tolist() == by_series.predict(frame["body"]).tolist()
    with pytest.raises(InputError, match=r"no column 'text'; it has body, source, other"):
        SAVClassifier(engine).fit(frame, LABELS)
    with pytest.raises(InputError, match=r"Row 0 of X has no value in the column 'other'"):
        SAVClassifier(engine, instruction="{other}").fit(frame, LABELS)


def test_pictures_are_examples_too(engine: CountingEngine) -> None:
    pytest.importorskip("PIL")
    pandas = pytest.importorskip("pandas")
    from headwise.integrations.sklearn.rows import examples_of
    from headwise.integrations.tables import Columns

    pixels = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    pixels[1] = 255
    listed = examples_of(pixels, Columns("text", None, ("text",)))
    assert [len(one.images) for one in listed] == [1, 1]
    assert listed[0].images != listed[1].images
    frame = pandas.DataFrame({"seen": [pixels[0], list(pixels)], "text": ["x", "y"]})
    framed = examples_of(frame, Columns("text", "seen", ("image", "text")))
    assert [one.text for one in framed] == ["x", "y"]
    assert framed[0].images == listed[0].images
    assert framed[1].images == (*listed[0].images, *listed[1].images)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("one text", "a list of one"),
        (Example("one"), "a list of one"),
        (iter(TEXTS), "got list_iterator"),
        (np.zeros((3, 2)), r"shape \(3, 2\)"),
        (["a", "  "], "Row 1 of X"),
        (["a", 3.5], "Row 1 of X"),
        (["a"], "inconsistent numbers of samples"),
    ],
    ids=["text", "example", "iterator", "matrix", "empty", "number", "other length"],
)
def test_bad_rows_are_refused_with_their_place(
    engine: CountingEngine, rows: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        SAVClassifier(engine).fit(rows, ["x", "y"])


def test_bad_labels_settings_and_order_are_refused(engine: CountingEngine) -> None:
    with pytest.raises(InputError, match="requires y"):
        SAVClassifier(engine).fit(TEXTS)
    with pytest.raises(InputError, match="one class"):
        SAVClassifier(engine).fit(TEXTS, ["x"] * len(TEXTS))
    with pytest.raises(InputError, match="voting"):
        SAVClassifier(engine, voting="loud").fit(TEXTS, LABELS)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"engine is what headwise\.load returns"):
        SAVClassifier(3).fit(TEXTS, LABELS)  # type: ignore[arg-type]
    with pytest.raises(NotFittedError):
        SAVClassifier(engine).predict(TEXTS)
    with pytest.raises(NotFittedError):
        HeadFeatures(engine).transform(TEXTS)
    assert not engine.shown


def test_head_features_are_the_heads_outputs_side_by_side(engine: CountingEngine) -> None:
    conversations = [Conversation.user(text) for text in TEXTS]
    captured = engine._engine.capture(conversations)
    every = HeadFeatures(engine).fit_transform(TEXTS)
    assert every.dtype == np.float32
    assert every.shape == (len(TEXTS), sum(e.n_heads * e.head_dim for e in engine.layout.layers))
    few = HeadFeatures(engine, heads=[(2, 1), (0, 3)]).fit(TEXTS)
    names = few.get_feature_names_out()
    assert (names[0], names[-1], len(names)) == ("layer2_head1_0", "layer0_head3_7", 16)
    found = few.transform(TEXTS)
    for place, index in enumerate([HeadIndex(2, 1), HeadIndex(0, 3)]):
        np.testing.assert_allclose(
            found[:, 8 * place : 8 * place + 8], captured.head(index), atol=1e-5
        )
    best = HeadFeatures(engine, heads=3).fit(TEXTS, LABELS)
    ranked = SAVClassifier(engine, n_heads=3).fit(TEXTS, LABELS).classifier_.heads
    assert best.heads_ == ranked
    assert len(engine.shown) == len(set(TEXTS))


def test_head_features_feed_any_model_and_name_their_columns(engine: CountingEngine) -> None:
    pandas = pytest.importorskip("pandas")
    piped = Pipeline(
        [
            ("heads", HeadFeatures(engine)),
            ("scale", StandardScaler()),
            ("model", LogisticRegression(max_iter=50)),
        ]
    )
    grid = {"heads__heads": np.array([1, 4]), "model__C": [0.1, 1.0]}
    search = GridSearchCV(piped, grid, cv=folds(), error_score="raise").fit(TEXTS, LABELS)
    assert len(engine.shown) == len(set(TEXTS))
    assert set(search.predict(TEXTS)) <= set(WORDS)
    frame = pandas.DataFrame({"text": TEXTS}, index=range(100, 100 + len(TEXTS)))
    framed = HeadFeatures(engine, heads=[(1, 0)]).set_output(transform="pandas").fit(frame)
    table = clone(framed).fit_transform(frame)
    assert table.columns.tolist() == framed.get_feature_names_out().tolist()
    assert table.index.tolist() == frame.index.tolist()


def test_head_features_refuse_what_cannot_be(engine: CountingEngine) -> None:
    for heads, said in [
        ("some", "'all'"),
        (0, "1 at least"),
        ([], "no head"),
        ([(9, 0)], "Layer 9"),
        ([5, 6], "pairs"),
        (2, "requires y"),
    ]:
        with pytest.raises(InputError, match=said):
            HeadFeatures(engine, heads=heads).fit(TEXTS)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="head_scoring"):
        HeadFeatures(engine, head_scoring="best").fit(TEXTS)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="two classes"):
        HeadFeatures(engine, heads=2).fit(TEXTS, ["x"] * len(TEXTS))


def test_warnings_of_truncation_reach_the_user(engine: CountingEngine) -> None:
    long = [f"{text} " + "word " * 60 for text in TEXTS]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SAVClassifier(engine, n_heads=1, max_text_tokens=16).fit(long, LABELS)
    assert any("16 texts longer than 16 tokens" in str(one.message) for one in caught)
