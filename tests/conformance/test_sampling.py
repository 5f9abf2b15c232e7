"""What is drawn follows from the seed and the prompt, and has the model's probabilities."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from headwise.engines.base import Sampling
from headwise.prompts.conversation import Conversation
from tiny_tokenizer import EOS_ID

from .subject import CONVERSATIONS, Subject

LENGTH = 8
GREEDY = Sampling(LENGTH)
SAMPLED = Sampling(LENGTH, temperature=1.0, seed=7)


def test_sampling_repeats_itself_whatever_the_global_random_state(llama: Subject) -> None:
    first = llama.engine.generate(CONVERSATIONS, SAMPLED)
    torch.manual_seed(123)
    assert llama.engine.generate(CONVERSATIONS, SAMPLED) == first


@pytest.mark.parametrize("token_budget", [4096, 1])
def test_a_sampled_text_does_not_depend_on_the_batch(llama: Subject, token_budget: int) -> None:
    engine = llama.with_budget(token_budget).engine
    found = engine.generate(CONVERSATIONS[::-1], SAMPLED)
    assert found == [llama.engine.generate([one], SAMPLED)[0] for one in CONVERSATIONS[::-1]]


def test_copies_of_a_prompt_give_samples_of_their_own(llama: Subject) -> None:
    copied, other = CONVERSATIONS[0], CONVERSATIONS[2]
    together = llama.engine.generate([copied, other, copied, copied], SAMPLED)
    assert len({together[0], together[2], together[3]}) == 3
    assert together == llama.engine.generate([copied, other, copied, copied], SAMPLED)
    assert together[:2] == llama.engine.generate([copied, other], SAMPLED)


def test_seeds_differ(llama: Subject) -> None:
    said = {
        tuple(llama.engine.generate(CONVERSATIONS, Sampling(LENGTH, temperature=1.0, seed=seed)))
        for seed in (-1, 0, 1, 2**70)
    }
    assert len(said) == 4


def test_hardly_any_nucleus_or_temperature_is_greedy(llama: Subject) -> None:
    greedy = llama.engine.generate(CONVERSATIONS, GREEDY)
    for sampling in (
        Sampling(LENGTH, temperature=1.0, top_p=1e-6),
        Sampling(LENGTH, temperature=1e-6),
        Sampling(LENGTH, temperature=1e-320),
    ):
        assert llama.engine.generate(CONVERSATIONS, sampling) == greedy


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """The most probable tokens that make up `top_p`, their probabilities adding up to 1."""
    ordered, tokens = probabilities.sort(descending=True)
    kept = ordered * (ordered.cumsum(dim=0) - ordered < top_p)
    return torch.zeros_like(probabilities).scatter(0, tokens, kept / kept.sum())


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 1.0), (1.5, 0.8)])
def test_samples_have_the_models_probabilities(
    llama: Subject, temperature: float, top_p: float
) -> None:
    n = 3000
    one = Conversation.completion("a")
    sampling = Sampling(1, temperature=temperature, top_p=top_p)
    said = llama.engine.generate([one] * n, sampling)
    logits = llama.reference.logits(llama.reference.prompt(one))[-1]
    expected = nucleus((logits / temperature).softmax(dim=0), top_p)
    words = [llama.tokenizer.decode([token]) for token in range(len(expected))]
    likely = [int(token) for token in expected.topk(5).indices if token != EOS_ID]
    for token in likely:
        share = float(expected[token])
        # Four standard deviations.
        allowed = 4 * (share * (1 - share) / n) ** 0.5
        assert abs(said.count(words[token]) / n - share) < allowed
    possible = {word for word, share in zip(words, expected.tolist(), strict=True) if share > 0}
    assert set(said) <= possible | {""}
