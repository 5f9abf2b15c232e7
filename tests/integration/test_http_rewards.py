"""`HTTPReward` in each of its forms against our own server: the rewards of the model itself."""

from __future__ import annotations

import numpy as np
import pytest
from serving import listening

import headwise
from headwise.baselines.http_connection import Patience
from headwise.baselines.http_rewards import HTTPReward
from headwise.errors import EngineError
from headwise.examples import Preference
from headwise.server.app import Operation
from headwise.server.settings import RequestLimits

PROMPTS = ["question 1?", "question 2?", "question 1?"]
RESPONSES = ["the good answer", "a bad answer", "no"]
CHAT = [
    {"role": "user", "content": "question 1?"},
    {"role": "assistant", "content": "the good answer"},
    {"role": "user", "content": "question 2?"},
]
ROUTES = {
    "openrlhf": "get_reward",
    "vllm-classify": "classify",
    "vllm-score": "score",
    "headwise": "v1/rewards",
}
QUICK = Patience(timeout=30.0, max_retries=0)


@pytest.fixture(scope="module")
def engine(model_folder):
    return headwise.load(model_folder)


@pytest.fixture(scope="module")
def offline(engine, scalar_folder):
    return headwise.from_pretrained(scalar_folder, engine=engine)


@pytest.fixture(scope="module")
def address(engine, scalar_folder):
    limits = RequestLimits(text_characters=500)
    with listening(engine, f"good={scalar_folder}", operation=Operation(limits=limits)) as found:
        yield found


def fitted(address, form, **how):
    return HTTPReward(f"{address}/{ROUTES[form]}", form, patience=QUICK, **how).fit()


@pytest.mark.parametrize("form", ROUTES)
def test_every_form_gives_the_rewards_of_the_model(address, offline, form):
    reward = fitted(address, form, batch_size=2)
    found = reward.score(PROMPTS, RESPONSES)
    np.testing.assert_allclose(found, offline.score(PROMPTS, RESPONSES), rtol=0, atol=1e-5)
    pairs = [Preference(p, "the good answer", r) for p, r in zip(PROMPTS, RESPONSES, strict=True)]
    np.testing.assert_allclose(reward.margins(pairs), offline.margins(pairs), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("form", "has_tokenizer"),
    [("openrlhf", True), ("vllm-classify", True), ("vllm-classify", False), ("headwise", False)],
)
def test_a_dialogue_arrives_as_one(address, offline, model_folder, form, has_tokenizer):
    how = {"tokenizer": str(model_folder)} if has_tokenizer else {}
    prompts = [CHAT, PROMPTS[0]]
    found = fitted(address, form, **how).score(prompts, RESPONSES[:2])
    expected = offline.score(prompts, RESPONSES[:2])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("responses", [["x" * 501], ["x" * 501, "good", "y" * 502]])
def test_what_the_server_cannot_score_is_told_by_row(address, responses):
    with pytest.raises(EngineError) as caught:
        fitted(address, "headwise").score(["question 1?"] * len(responses), responses)
    told = str(caught.value)
    n_wrong = sum(len(response) > 500 for response in responses)
    assert f"could not score {n_wrong} of {len(responses)} responses" in told
    for row, response in enumerate(responses):
        assert (f"row {row}: " in told) == (len(response) > 500)
    assert "501 characters" in told
    assert "refuses" not in told


def test_a_refusal_of_the_whole_request_stays_one(address):
    with pytest.raises(EngineError, match="answered 404"):
        fitted(address, "headwise", model="other").score(["question 1?"], ["good"])


def test_a_model_that_compares_gets_together_what_it_compares(engine, ranked_folder):
    ranked = headwise.from_pretrained(ranked_folder, engine=engine)
    prompts = [f"question {n % 3}?" for n in range(9)]
    responses = [f"answer {n}" for n in range(9)]
    pairs = [Preference("question 1?", f"good {n}", f"bad {n}") for n in range(3)]
    with listening(engine, f"better={ranked_folder}") as address:
        reward = fitted(address, "headwise", batch_size=2)
        found = reward.score(prompts, responses)
        margins = reward.margins(pairs)
    np.testing.assert_allclose(found, ranked.score(prompts, responses), rtol=0, atol=1e-5)
    # A reward is the log-odds of being better than the other: the difference has them twice.
    np.testing.assert_allclose(margins, 2 * ranked.margins(pairs), rtol=0, atol=1e-5)
