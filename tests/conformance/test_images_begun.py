"""Pictures in what several prompts begin with, and behind it."""

from __future__ import annotations

import torch

from headwise.prompts.conversation import Conversation, Message

from .seeing import CANDIDATES, OTHER, TALL, WIDE, Seeing
from .subject import alone, assert_close, assert_same_activations
from .test_begun_prompts import CHANCE
from .test_sharing import DIALOGUE
from .watching import begun

BEFORE = (Message("user", (WIDE, DIALOGUE * 2, TALL)), Message("assistant", "Yes"))
WITH_PICTURES = tuple(
    Conversation((*BEFORE, Message("user", rest)))
    for rest in (("Yes",), ("the cat sat",), (OTHER, "a mat"), ("No", OTHER), ("Hi",), ("a dog",))
)

GROUPS = tuple(
    Conversation((*BEFORE, Message("user", (shown, DIALOGUE * 2, rest))))
    for rest in ("Yes", "the cat sat", "a mat", "Hi")
    for shown in (OTHER, TALL, WIDE)
)


def test_pictures_in_what_is_shared_and_behind_it(seeing: Seeing) -> None:
    engine = seeing.engine
    steering = seeing.steering(operation="replace", positions="generated")
    for how in (None, steering):
        expected = [engine.generate([one], CHANCE, how)[0] for one in WITH_PICTURES]
        assert len(set(expected)) > 1
        with begun(engine) as prefixes:
            assert engine.generate(WITH_PICTURES, CHANCE, how) == expected
        # Positions of those that count in three are left to transformers, and a picture that sees
        # what follows in it must be in the first pass.
        sight = engine._frozen.sight
        shares = sight is not None and sight.attention == "causal" and not sight.counts_in_three
        assert len(prefixes) == shares


def test_pictures_in_what_several_groups_begin_with(seeing: Seeing) -> None:
    engine = seeing.engine
    with begun(engine) as prefixes:
        found = engine.capture(GROUPS)
    assert_same_activations(found, alone(engine, GROUPS), 1e-4)
    scores = engine.token_logprobs(GROUPS, CANDIDATES)
    expected = [engine.token_logprobs([one], CANDIDATES) for one in GROUPS]
    assert_close(scores, torch.cat(expected), 1e-4)
    if engine._frozen.sight is not None and engine._frozen.sight.attention == "causal":
        assert [one.n_before for one in prefixes] == [0, *[prefixes[0].n_tokens] * 3]
