"""A streamed answer is the one `generate` gives, and leaves nothing behind when it is cut short."""

from __future__ import annotations

import threading
from itertools import islice

import pytest

from headwise.engines.base import Sampling, StreamingEngine
from headwise.errors import InputError
from headwise.prompts.conversation import Conversation

from .subject import CONVERSATIONS, Subject, Traces

LENGTH = 12
GREEDY = Sampling(max_new_tokens=LENGTH)


def n_threads() -> int:
    return sum(thread.name == "headwise-stream" for thread in threading.enumerate())


@pytest.mark.parametrize("positions", [None, "prompt", "generated"])
def test_the_pieces_are_what_generate_answers(subject: Subject, positions: str | None) -> None:
    assert isinstance(subject.engine, StreamingEngine)
    steering = positions and subject.steering(operation="add", positions=positions, scale=2.0)
    for one in CONVERSATIONS[:3]:
        pieces = list(subject.engine.stream(one, GREEDY, steering or None))
        assert all(pieces)
        assert ["".join(pieces)] == subject.engine.generate([one], GREEDY, steering or None)


def test_an_answer_comes_in_pieces(llama: Subject) -> None:
    assert len(list(llama.engine.stream(CONVERSATIONS[0], GREEDY))) > LENGTH // 3


def test_sampling_is_the_one_of_generate(llama: Subject) -> None:
    for seed in range(5):
        sampling = Sampling(LENGTH, temperature=1.5, top_p=0.9, seed=seed)
        pieces = llama.engine.stream(CONVERSATIONS[2], sampling)
        assert ["".join(pieces)] == llama.engine.generate([CONVERSATIONS[2]], sampling)


def test_no_piece_holds_any_of_a_stop_string(llama: Subject) -> None:
    one = CONVERSATIONS[0]
    [plain] = llama.engine.generate([one], GREEDY)
    for start in range(1, len(plain) - 3):
        for length in (1, 2, 3):
            sampling = Sampling(LENGTH, stop=(plain[start : start + length], "never"))
            expected = llama.engine.generate([one], sampling)
            assert ["".join(llama.engine.stream(one, sampling))] == expected


@pytest.mark.parametrize("ending", ["close", "forget", "raise"])
def test_nothing_is_left_when_the_reader_stops(llama: Subject, ending: str) -> None:
    before = Traces.of(llama.model, llama.tokenizer)
    expected = llama.engine.generate(CONVERSATIONS, GREEDY)
    pieces = llama.engine.stream(
        CONVERSATIONS[0], Sampling(max_new_tokens=300), llama.steering(positions="generated")
    )
    assert len(list(islice(pieces, 2))) == 2
    if ending == "close":
        pieces.close()
    elif ending == "forget":
        del pieces
    else:
        with pytest.raises(KeyError):
            pieces.throw(KeyError("the reader failed"))
    assert n_threads() == 0
    assert Traces.of(llama.model, llama.tokenizer) == before
    assert llama.engine.generate(CONVERSATIONS, GREEDY) == expected


def test_nothing_runs_before_the_first_piece_is_asked_for(llama: Subject) -> None:
    before = Traces.of(llama.model, llama.tokenizer)
    pieces = llama.engine.stream(CONVERSATIONS[0], GREEDY, llama.steering())
    assert n_threads() == 0
    assert Traces.of(llama.model, llama.tokenizer) == before
    pieces.close()


def test_what_does_not_fit_is_refused_at_once(llama: Subject) -> None:
    with pytest.raises(InputError, match="max_new_tokens"):
        llama.engine.stream(CONVERSATIONS[0], Sampling(max_new_tokens=0))
    with pytest.raises(InputError):
        llama.engine.stream(Conversation.completion(""), GREEDY)
