"""`generate` says what the model says alone, steered or not."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from headwise.engines.base import Sampling
from headwise.prompts.conversation import Conversation
from tiny_models import family
from tiny_tokenizer import EOS_ID, build_tokenizer

from .subject import CONVERSATIONS, Subject

LENGTH = 8
GREEDY = Sampling(max_new_tokens=LENGTH)


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


SETTINGS = (
    {"repetition_penalty": 5.0},
    {"no_repeat_ngram_size": 1},
    {"num_beams": 3},
    {"num_beams": 2, "num_return_sequences": 2},
    {"do_sample": True, "temperature": 5.0, "top_k": 3},
    {"suppress_tokens": list(range(20, 200))},
    {"begin_suppress_tokens": list(range(20, 200))},
    {"bad_words_ids": [[token] for token in range(20, 200)]},
    {"sequence_bias": [[[30], 100.0]]},
    {"forced_eos_token_id": EOS_ID},
    {"max_time": 1e-9},
    {"prefill_chunk_size": 3},
    {"return_dict_in_generate": True, "output_scores": True},
)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: " ".join(setting))
def test_greedy_is_greedy_whatever_the_models_own_settings(
    llama: Subject, setting: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    steering = llama.steering()
    expected = model_says(llama)
    steered = llama.engine.generate(CONVERSATIONS, GREEDY, steering)
    for name, value in setting.items():
        monkeypatch.setattr(llama.model.generation_config, name, value)
    assert llama.engine.generate(CONVERSATIONS, GREEDY) == expected
    assert llama.engine.generate(CONVERSATIONS, GREEDY, steering) == steered


def test_a_prompt_that_runs_in_pieces_is_steered_as_a_whole(
    llama: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = llama.model.generate

    def in_pieces(**arguments: Any) -> object:
        arguments["generation_config"].prefill_chunk_size = 3
        return generate(**arguments)

    for positions in ("prompt", "generated"):
        steering = llama.steering(operation="add", positions=positions, scale=2.0)
        expected = llama.engine.generate(CONVERSATIONS, GREEDY, steering)
        with monkeypatch.context() as patch:
            patch.setattr(llama.model, "generate", in_pieces)
            assert llama.engine.generate(CONVERSATIONS, GREEDY, steering) == expected


def test_a_stop_string_is_not_looked_for_across_the_end_of_the_prompt(llama: Subject) -> None:
    one = Conversation.completion("the dog sat on")
    [plain] = llama.engine.generate([one], GREEDY)
    stop = "n" + plain[:1]
    assert stop not in plain
    assert llama.engine.generate([one], Sampling(LENGTH, stop=(stop,))) == [plain]


def test_the_number_of_tokens_is_the_one_asked_for(llama: Subject) -> None:
    assert llama.engine.generate(CONVERSATIONS, Sampling(max_new_tokens=1)) == model_says(llama, 1)
