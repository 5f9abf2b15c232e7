"""A task vector answers as its steering says, comes back from disk, and steers any prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from planted_engine import GradientPlantedEngine

from headwise import from_pretrained
from headwise.engines.base import Engine, Sampling
from headwise.errors import ArtifactError, EngineError, InputError
from headwise.examples import Example
from headwise.methods.steered_engine import SteeredEngine
from headwise.methods.task_answers import is_answer
from headwise.methods.task_vector import TaskVector
from headwise.methods.task_vectors import TaskVectors
from headwise.prompts.conversation import Conversation
from headwise.selection.reinforce import Reinforce

QUICK = Reinforce(epochs=3, masks_per_epoch=4, final_masks=3)
INPUTS = ["the cat", "a mat", "Is it?"]
CANDIDATES = ["dog", "No", "the cat sat"]
EXAMPLES = tuple(Example(f"the cat {number}", f"dog {number}") for number in range(6))


def fit(engine: Engine, support: Sequence[Example] = EXAMPLES, **how: Any) -> TaskVector:
    return TaskVectors(**{"selector": QUICK, "n_prompts": 6, **how}).fit(engine, support)


@pytest.fixture(
    scope="module",
    params=[
        {},
        {"style": "chat", "positions": "generated"},
        {"instruction": "Answer", "target_tokens": None, "positions": "generated"},
    ],
    ids=["completion", "chat", "instructed"],
)
def fitted(request: pytest.FixtureRequest, tiny_engine: Engine) -> TaskVector:
    """A task vector of each kind; leave it as it is."""
    return fit(tiny_engine, **request.param)


@pytest.fixture(scope="module")
def vector(tiny_engine: Engine) -> TaskVector:
    return fit(tiny_engine)


# --- Answers ---------------------------------------------------------------------------------


def test_answers_are_those_of_the_engine_steered(fitted: TaskVector) -> None:
    queries = [fitted.prompt.query(Example(text)) for text in INPUTS]
    sampling = Sampling(max_new_tokens=6)
    texts = fitted.engine.generate(queries, sampling, fitted.steering)
    assert fitted.generate(INPUTS, sampling) == [text.strip() for text in texts]
    targets = [fitted.prompt.target(candidate) for candidate in CANDIDATES]
    expected = fitted.engine.token_logprobs(queries, targets, fitted.steering).numpy()
    found = fitted.candidate_logprobs(INPUTS, CANDIDATES)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float64
    likeliest = [CANDIDATES[number] for number in expected.argmax(axis=1)]
    assert fitted.predict(INPUTS, CANDIDATES) == likeliest


def test_steering_changes_what_is_said(fitted: TaskVector) -> None:
    queries = [fitted.prompt.query(Example(text)) for text in INPUTS]
    targets = [fitted.prompt.target(candidate) for candidate in CANDIDATES]
    plain = fitted.engine.token_logprobs(queries, targets).numpy()
    assert not np.allclose(plain, fitted.candidate_logprobs(INPUTS, CANDIDATES), atol=0.01)


def test_labels_of_inputs_are_not_looked_at(vector: TaskVector) -> None:
    labelled = [Example(text, "dog") for text in INPUTS]
    assert vector.generate(labelled) == vector.generate(INPUTS)


def test_nothing_has_no_answers(fitted: TaskVector) -> None:
    assert fitted.generate([]) == []
    assert fitted.predict([], CANDIDATES) == []
    assert fitted.candidate_logprobs([], CANDIDATES).shape == (0, len(CANDIDATES))


@pytest.mark.parametrize(
    ("generated", "target", "right"),
    [
        (" Vienna ", "vienna", True),
        ("Vienna\nQ: Peru", "Vienna", True),
        ("Vienna.", "Vienna", False),
        ("", "Vienna", False),
        ("\n\nVienna", " Vienna\n", True),
        ("one\ntwo", "one\ntwo", True),
        ("one\nthree", "one\ntwo", False),
        ("STRASSE", "straße", True),
    ],
)
def test_an_answer_is_right_by_its_first_line(generated: str, target: str, right: bool) -> None:
    assert is_answer(generated, target) is right


def test_what_cannot_be_asked_is_an_error(vector: TaskVector) -> None:
    for candidates in ([], ["dog", ""], [" "]):
        with pytest.raises(InputError):
            vector.predict(INPUTS, candidates)
    for unlabelled in ([], [Example("the cat", "dog"), Example("the cat")]):
        with pytest.raises(InputError, match="label with each"):
            vector.score(unlabelled)


# --- Saving ----------------------------------------------------------------------------------


def assert_comes_back(task: TaskVector, folder: Path) -> None:
    task.save_pretrained(folder)
    loaded = from_pretrained(folder, engine=task.engine)
    assert isinstance(loaded, TaskVector)
    for name in ("heads", "prompt", "max_text_tokens", "layout", "fingerprint"):
        assert getattr(loaded, name) == getattr(task, name), name
    for name in ("operation", "positions", "scale"):
        assert getattr(loaded.steering, name) == getattr(task.steering, name), name
    pairs = list(zip(loaded.steering.vectors, task.steering.vectors, strict=True))
    if task.zero_shot is None:
        assert loaded.zero_shot is None
    else:
        assert loaded.zero_shot is not None
        pairs += zip(loaded.zero_shot.values, task.zero_shot.values, strict=True)
    assert all(torch.equal(mine, theirs) for mine, theirs in pairs)
    assert dict(loaded.statistics) == dict(task.statistics)
    assert loaded.generate(INPUTS) == task.generate(INPUTS)


def test_a_saved_task_vector_comes_back_bit_for_bit(fitted: TaskVector, tmp_path: Path) -> None:
    assert_comes_back(fitted, tmp_path / "saved")


def test_so_does_what_was_made_of_others(vector: TaskVector, tmp_path: Path) -> None:
    assert_comes_back(vector.scaled(0.5), tmp_path / "scaled")
    made = vector.as_offset().plus(vector.as_offset().scaled(-0.25))
    assert_comes_back(replace(made, steering=replace(made.steering, scale=2.0)), tmp_path / "sum")


def test_so_does_one_whose_search_chose_no_head(tiny_engine: Engine, tmp_path: Path) -> None:
    search = Reinforce(epochs=1, masks_per_epoch=2, final_masks=1, initial_logit=-60.0)
    task = fit(tiny_engine, EXAMPLES[:2], selector=search)
    assert len(task.heads) == 0
    assert_comes_back(task, tmp_path / "saved")


@pytest.mark.parametrize(
    ("part", "name"),
    [("parameters", "operation"), ("parameters", "positions"), ("prompt", "style")],
)
def test_an_unknown_value_in_a_saved_task_vector_is_named(
    vector: TaskVector, part: str, name: str
) -> None:
    record = vector.to_record()
    spoilt = replace(record, **{part: {**getattr(record, part), name: "sideways"}})
    with pytest.raises(ArtifactError, match=f"'{part}.{name}' is 'sideways'"):
        TaskVector.from_record(spoilt, vector.engine)


# --- Applied to any prompt -------------------------------------------------------------------


def test_inside_the_block_every_run_is_steered(fitted: TaskVector) -> None:
    prompts = [Conversation.user("Is it a dog?"), Conversation.completion("the cat sat on")]
    engine, sampling = fitted.engine, Sampling(max_new_tokens=6)
    with fitted.applied() as steered:
        assert isinstance(steered, Engine)
        assert steered.fingerprint == engine.fingerprint
        assert steered.layout == engine.layout
        texts = steered.generate(prompts, sampling)
        logprobs = steered.token_logprobs(prompts, CANDIDATES)
        plain = engine.token_logprobs(prompts, CANDIDATES)
        pieces = list(steered.stream(prompts[1], sampling))
        assert steered.truncate("the cat", 8) == engine.truncate("the cat", 8)
    assert texts == engine.generate(prompts, sampling, fitted.steering)
    assert "".join(pieces) == texts[1]
    assert torch.equal(logprobs, engine.token_logprobs(prompts, CANDIDATES, fitted.steering))
    assert torch.equal(plain, engine.token_logprobs(prompts, CANDIDATES))


def test_what_cannot_be_run_steered_is_refused(vector: TaskVector) -> None:
    prompts = [Conversation.user("Is it?")]
    masks = torch.zeros(1, vector.layout.n_heads, dtype=torch.bool)
    assert vector.zero_shot is not None
    with vector.applied() as steered:
        with pytest.raises(InputError, match="steers already"):
            steered.generate(prompts, steering=vector.steering)
        with pytest.raises(InputError, match="steers already"):
            steered.token_logprobs(prompts, CANDIDATES, vector.steering)
        with pytest.raises(InputError, match="steers already"):
            steered.stream(prompts[0], steering=vector.steering)
        with pytest.raises(EngineError, match="capture cannot be run"):
            steered.capture(prompts)
        with pytest.raises(EngineError, match="mask_losses cannot be run"):
            steered.mask_losses(prompts, ["Yes"], vector.zero_shot, masks)


def test_the_steered_engine_ends_with_its_block(vector: TaskVector) -> None:
    with pytest.raises(KeyError), vector.applied() as steered:
        raise KeyError
    with pytest.raises(EngineError, match="after its `with` block"):
        steered.generate([Conversation.user("Is it?")])
    with pytest.raises(EngineError, match="after its `with` block"):
        steered.stream(Conversation.user("Is it?"))


def test_an_engine_that_cannot_stream_is_an_error_that_says_what_to_do(vector: TaskVector) -> None:
    engine = GradientPlantedEngine()
    steered = SteeredEngine(engine, vector.steering)
    with pytest.raises(EngineError, match="GradientPlantedEngine gives whole answers only"):
        steered.stream(Conversation.user("Is it?"))


def test_another_model_is_refused(vector: TaskVector) -> None:
    other = replace(vector.fingerprint, weights_hash="of another model")
    stranger = replace(vector, fingerprint=other)
    with pytest.raises(ArtifactError, match="weights_hash"), stranger.applied(vector.engine):
        pass
