"""`generate` says what the model says alone, steered or not."""

from __future__ import annotations

import pytest
import torch

from headwise.engines.base import Sampling
from tiny_models import family
from tiny_tokenizer import build_tokenizer

from .subject import CONVERSATIONS, Subject

LENGTH = 8
GREEDY = Sampling(max_new_tokens=LENGTH)
SAMPLED = Sampling(max_new_tokens=LENGTH, temperature=1.0, seed=7)


def model_says(subject: Subject, n: int = LENGTH) -> list[str]:
    """Greedy text of transformers' own `generate`, one conversation at a time."""
    texts = []
    for conversation in CONVERSATIONS:
        ids = torch.tensor([subject.reference.prompt(conversation)])
        with torch.no_grad():
            said = subject.reference.model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=n, do_sample=False
            )
        text = subject.tokenizer.decode(said[0, ids.shape[1] :], skip_special_tokens=True)
        texts.append(text)
    return texts


def test_greedy_is_what_the_model_generates_alone(subject: Subject) -> None:
    expected = model_says(subject)
    assert len(set(expected)) > 1
    assert subject.engine.generate(CONVERSATIONS, GREEDY) == expected


@pytest.mark.parametrize("token_budget", [4096, 1])
def test_a_batch_equals_its_single_runs(subject: Subject, token_budget: int) -> None:
    engine = subject.with_budget(token_budget).engine
    steering = subject.steering(positions="generated")
    found = engine.generate(CONVERSATIONS[::-1], GREEDY, steering)
    single = [subject.engine.generate([one], GREEDY, steering)[0] for one in CONVERSATIONS[::-1]]
    assert found == single


@pytest.mark.parametrize("positions", ["prompt", "generated"])
@pytest.mark.parametrize("operation", ["replace", "add"])
def test_steered_equals_plain_forward_passes_with_a_hook(
    subject: Subject, operation: str, positions: str
) -> None:
    scale = 2.0 if operation == "add" else 1.0
    steering = subject.steering(operation=operation, positions=positions, scale=scale)
    some = CONVERSATIONS[:3]
    expected = [subject.reference.greedy(one, LENGTH, steering) for one in some]
    assert subject.engine.generate(some, GREEDY, steering) == expected


def test_steering_changes_what_is_said(subject: Subject) -> None:
    steering = subject.steering(operation="add", positions="generated", scale=8.0)
    steered = subject.engine.generate(CONVERSATIONS, GREEDY, steering)
    assert steered != subject.engine.generate(CONVERSATIONS, GREEDY)


def test_sampling_repeats_itself(llama: Subject) -> None:
    first, second = (llama.engine.generate(CONVERSATIONS, SAMPLED) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("token_budget", [4096, 1])
def test_a_sampled_text_does_not_depend_on_the_batch(llama: Subject, token_budget: int) -> None:
    engine = llama.with_budget(token_budget).engine
    found = engine.generate(CONVERSATIONS[::-1], SAMPLED)
    assert found == [llama.engine.generate([one], SAMPLED)[0] for one in CONVERSATIONS[::-1]]


def test_seeds_differ(llama: Subject) -> None:
    said = {
        tuple(llama.engine.generate(CONVERSATIONS, Sampling(LENGTH, temperature=1.0, seed=seed)))
        for seed in range(4)
    }
    assert len(said) == 4


def test_hardly_any_nucleus_or_temperature_is_greedy(llama: Subject) -> None:
    greedy = llama.engine.generate(CONVERSATIONS, GREEDY)
    for sampling in (
        Sampling(LENGTH, temperature=1.0, top_p=1e-6),
        Sampling(LENGTH, temperature=1e-6),
    ):
        assert llama.engine.generate(CONVERSATIONS, sampling) == greedy


def test_stop_strings_cut_each_text_where_they_first_occur(llama: Subject) -> None:
    plain = llama.engine.generate(CONVERSATIONS, GREEDY)
    stops = tuple(text[3] for text in plain[:2])
    expected = [
        text[: min([*(text.find(s) for s in stops if s in text), len(text)])] for text in plain
    ]
    found = llama.engine.generate(CONVERSATIONS, Sampling(LENGTH, stop=stops))
    assert found == expected


def test_generation_ends_at_the_models_own_end_tokens() -> None:
    # A subject of its own, since the model's generation settings are changed.
    subject = Subject.of(family("llama"), build_tokenizer())
    reference = subject.reference
    plain = model_says(subject)
    ids = [subject.tokenizer(text)["input_ids"] for text in plain[:2]]
    for model in (subject.model, reference.model):
        model.generation_config.eos_token_id = [ids[0][2], ids[1][1]]
    expected = model_says(subject)
    assert expected != plain
    assert subject.engine.generate(CONVERSATIONS, GREEDY) == expected


@pytest.mark.parametrize(
    "setting", [{"repetition_penalty": 5.0}, {"no_repeat_ngram_size": 1}, {"num_beams": 3}], ids=str
)
def test_greedy_is_greedy_whatever_the_models_own_settings(
    llama: Subject, setting: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = model_says(llama)
    for name, value in setting.items():
        monkeypatch.setattr(llama.model.generation_config, name, value)
    assert llama.engine.generate(CONVERSATIONS, GREEDY) == expected


def test_the_number_of_tokens_is_the_one_asked_for(llama: Subject) -> None:
    assert llama.engine.generate(CONVERSATIONS, Sampling(max_new_tokens=1)) == model_says(llama, 1)
