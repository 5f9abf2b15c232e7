"""Whether the shipped model still answers without pictures as the plain one does."""

from __future__ import annotations

import torch
from transformers import AutoModelForCausalLM

from headwise.engines.embedded import embedded_model_path
from training.embedded_vision.composed import Composed
from training.embedded_vision.measure_scenes import Share

_PROMPTS: tuple[str, ...] = (
    "What is the capital of Italy?",
    "Give me two ideas for a birthday present.",
    "Explain gravity in one sentence.",
    "Write a short story about a lost key.",
    "How do I make tea?",
    "Is the sun a star? Answer Yes or No.",
    "Classify the sentiment of this review as positive or negative: A waste of two hours.",
    "Name three animals that live in the sea.",
    "What is the past tense of 'go'?",
    "Write a Python function that reverses a string.",
    "Who was Albert Einstein?",
    "What are the advantages of trains over cars?",
)
"""Other prompts than those that training replays."""
_NEW = 60


def plain_text(model: Composed) -> dict[str, Share]:
    """The plain model's greedy answers, token by token, under both models.

    Args:
        model: The shipped model.

    Returns:
        The share of tokens on which both agree, the mean divergence in nats, and the perplexity
        that each gives to the plain model's answers.
    """
    plain = AutoModelForCausalLM.from_pretrained(embedded_model_path(), dtype=model.dtype).eval()
    agree, divergence, own, ours, tokens = 0, 0.0, 0.0, 0.0, 0
    for prompt in _PROMPTS:
        given = model.packer.chat(prompt, "").tokens[:-1]
        with torch.no_grad():
            whole = plain.generate(
                torch.tensor([given]), max_new_tokens=_NEW, do_sample=False, pad_token_id=2
            )
            start = len(given)
            first = plain(whole).logits[0, start - 1 : -1].float().log_softmax(-1)
            second = model.model(input_ids=whole).logits[0, start - 1 : -1].float().log_softmax(-1)
        second = second[:, : first.shape[1]]
        written = whole[0, start:, None]
        agree += int((first.argmax(-1) == second.argmax(-1)).sum())
        divergence += float((first.exp() * (first - second)).sum())
        own -= float(first.gather(1, written).sum())
        ours -= float(second.gather(1, written).sum())
        tokens += len(written)
    per_token = {"plain": own / tokens, "shipped": ours / tokens}
    perplexities = {
        f"text: perplexity of the plain model's answers, {name}": (
            float(torch.tensor(value).exp()),
            tokens,
        )
        for name, value in per_token.items()
    }
    return {
        "text: same next token as the plain model": (agree / tokens, tokens),
        "text: divergence from the plain model, nats": (divergence / tokens, tokens),
        **perplexities,
    }
