"""Prompts that begin alike are continued as if each were alone, and their beginning is run once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headwise.engines.base import Sampling

from .subject import (
    CONVERSATIONS,
    Subject,
)
from .test_sharing import SHARING
from .watching import begun

GREEDY = Sampling(max_new_tokens=6)
# By chance even a model that greedily says the same of everything tells prompts apart.
CHANCE = replace(GREEDY, temperature=1.0)
# Not the last, which is there twice: it would be given a seed of its own.
ONCE = SHARING[:-1]
# Those that do not begin alike leave nothing that all share.
SOME_SHARE = (*ONCE, CONVERSATIONS[3])


@pytest.mark.parametrize("token_budget", [4096, 60])
@pytest.mark.parametrize("positions", [None, "prompt", "generated"])
def test_a_batch_says_what_each_prompt_alone_says(
    subject: Subject, positions: str | None, token_budget: int
) -> None:
    engine: Any = subject.with_budget(token_budget).engine
    steering = positions and subject.steering(operation="add", positions=positions, scale=2.0)
    expected = [subject.engine.generate([one], CHANCE, steering)[0] for one in ONCE]
    assert len(set(expected)) > 1
    with begun(engine) as prefixes:
        assert engine.generate(ONCE, CHANCE, steering) == expected
    assert len(prefixes) == engine._frozen.shares_prefixes


def test_prompts_that_do_not_share_run_beside_those_that_do(subject: Subject) -> None:
    expected = [subject.engine.generate([one], CHANCE)[0] for one in SOME_SHARE]
    assert subject.engine.generate(SOME_SHARE, CHANCE) == expected


def test_a_group_of_its_own_must_save_more_than_its_steps_cost(llama: Subject) -> None:
    engine: Any = llama.engine
    for n_new_tokens, n_groups in ((1, 1), (64, 0)):
        with begun(engine) as prefixes:
            engine.generate(SOME_SHARE, Sampling(n_new_tokens))
        assert len(prefixes) == n_groups


@pytest.mark.parametrize("temperature", [0.0, 2.0])
def test_votes_on_one_prompt_run_all_but_its_last_token_once(
    llama: Subject, temperature: float
) -> None:
    engine: Any = llama.engine
    sampling = replace(GREEDY, temperature=temperature)
    copies = [SHARING[0]] * 6
    [expected] = engine.generate(copies[:1], sampling)
    with begun(engine) as prefixes:
        found = engine.generate(copies, sampling)
    assert found[0] == expected
    assert (len(set(found)) == 1) == (temperature == 0)
    assert [one.n_tokens for one in prefixes] == [engine.count_tokens(copies)[0] - 1]
