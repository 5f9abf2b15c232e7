"""`generate` and `stream` of models that see say what the model says alone; no trace is left."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from headwise.engines.base import Sampling

from .seeing import ASKED, LENGTH, RAW, TALK, TWO, Seeing
from .subject import Traces

GREEDY = Sampling(max_new_tokens=LENGTH)


def test_greedy_is_what_the_model_generates_alone(seeing: Seeing) -> None:
    expected = []
    for conversation in seeing.conversations:
        inputs = seeing.inputs(conversation)
        with torch.no_grad():
            said = seeing.plain.model.generate(**inputs, max_new_tokens=LENGTH, do_sample=False)
        ids = said[0, inputs["input_ids"].shape[1] :]
        expected.append(seeing.plain.processor.tokenizer.decode(ids, skip_special_tokens=True))
    assert len(set(expected)) > 1
    assert seeing.engine.generate(seeing.conversations, GREEDY) == expected


@pytest.mark.parametrize("positions", ["prompt", "generated"])
def test_steered_equals_plain_passes_with_a_hook(seeing: Seeing, positions: str) -> None:
    steering = seeing.steering(operation="replace", positions=positions)
    some = [TWO, RAW]
    expected = [seeing.greedy(one, steering) for one in some]
    assert seeing.engine.generate(some, GREEDY, steering) == expected
    assert seeing.with_budget(1).generate(some, GREEDY, steering) == expected


def test_the_pieces_are_what_generate_answers(seeing: Seeing) -> None:
    for one in (ASKED, TALK):
        pieces = list(seeing.engine.stream(one, GREEDY))
        assert ["".join(pieces)] == seeing.engine.generate([one], GREEDY)


def test_chance_follows_from_the_picture(seeing: Seeing) -> None:
    sampling = Sampling(LENGTH, temperature=2.0, seed=3)
    some = [ASKED, TWO, ASKED]
    first, second = (seeing.engine.generate(some, sampling) for _ in range(2))
    assert first == second
    assert first[:1] == seeing.engine.generate([ASKED], sampling)


def traces(seeing: Seeing) -> tuple[Any, ...]:
    model, processor = seeing.tiny.model, seeing.tiny.processor
    core = model.base_model
    return (
        Traces.of(model, processor.tokenizer),
        {name: value for name, value in vars(processor).items() if name != "tokenizer"},
        {name: repr(value) for name, value in vars(core).items() if not name.startswith("_")},
    )


@pytest.mark.parametrize("verb", ["capture", "logprobs", "losses", "effects", "generate", "stream"])
def test_nothing_is_left_behind(seeing: Seeing, verb: str) -> None:
    engine, some = seeing.engine, seeing.conversations[:3]
    vectors, masks = seeing.vectors(), seeing.masks(2)
    steering = seeing.steering(positions="generated")
    core: Any = seeing.tiny.model.base_model
    calls = {
        "capture": lambda: engine.capture(some),
        "logprobs": lambda: engine.token_logprobs(some, ["Yes"], steering),
        "losses": lambda: engine.mask_losses(some, ["Yes"] * len(some), vectors, masks),
        "effects": lambda: engine.head_effects(some, ["Yes"] * len(some), vectors),
        "generate": lambda: engine.generate(some, GREEDY, steering),
        "stream": lambda: list(engine.stream(ASKED, GREEDY, steering)),
    }
    with torch.no_grad():
        # transformers hooks some vision towers for good when they first run, whoever runs them.
        seeing.tiny.model(**seeing.inputs(ASKED))
    if hasattr(core, "rope_deltas"):
        core.rope_deltas = torch.tensor([[7]])
    before, state = traces(seeing), torch.get_rng_state()
    calls[verb]()
    assert traces(seeing) == before
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_is_left_behind_by_a_failure(
    seeing: Seeing, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeing.engine.capture([RAW])
    before = traces(seeing)

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the layer failed")

    deepest = seeing.projection(seeing.tiny, seeing.tiny.facts.heads[-1].layer)
    with monkeypatch.context() as patch:
        patch.setattr(deepest, "forward", fail)
        with pytest.raises(RuntimeError, match="the layer failed"):
            seeing.engine.token_logprobs([RAW], ["Yes"])
        with pytest.raises(RuntimeError, match="the layer failed"):
            seeing.engine.generate([RAW])
    assert traces(seeing) == before
