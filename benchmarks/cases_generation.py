"""Generation: steered, plain, and by transformers alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from transformers import GenerationConfig

from benchmarks.results import Case, Check, Comparison
from benchmarks.sizes import Sizes
from benchmarks.subjects import Subject
from benchmarks.texts import topics
from benchmarks.timing import Contender
from headwise import Sampling
from headwise.heads import Steering
from headwise.prompts.conversation import Conversation
from headwise.prompts.in_context import InContextPrompt

_STEERED, _PROMPT_ONLY = "steered, every token", "steered, prompt only"


def generation_cases(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Case]:
    """Greedy text for a few prompts at once.

    Args:
        subject: The model.
        sizes: How many prompts and tokens.
        seed: Seed of the steered heads.

    Yields:
        One case for prompts of their own, and one for prompts that begin alike.
    """
    yield _own_prompts(subject, sizes, seed)
    yield _begun_alike(subject, sizes)


def _own_prompts(subject: Subject, sizes: Sizes, seed: int) -> Case:
    examples = topics(sizes.rows, 0).support
    conversations = [Conversation.user(example.text) for example in examples[: sizes.rows]]
    steering = subject.steering(subject.mean_vectors(tuple(e.text for e in examples[:8])), seed)
    work = _Generation(subject, conversations, sizes.new_tokens)
    contenders = (
        Contender(_STEERED, "headwise", lambda: work.run(steering), 2),
        Contender(
            _PROMPT_ONLY, "headwise", lambda: work.run(replace(steering, positions="prompt")), 2
        ),
        Contender("plain", "headwise", lambda: work.run(None), 2),
        Contender("transformers alone", "floor", work.run_transformers, 2),
    )
    return Case(
        "generation",
        f"Generation, {sizes.new_tokens} tokens for {len(conversations)} prompts at once",
        f"Greedy; {len(steering.heads)} heads of {len(steering.heads.layers)} layers steered. The "
        "model's end-of-text token is switched off, so that all write equally much.",
        contenders,
        (
            Comparison(_STEERED, "plain", "cost", 1.03),
            Comparison(_PROMPT_ONLY, "plain", "cost", 1.03),
            Comparison("plain", "transformers alone", "cost"),
        ),
        lambda: work.checks(steering),
    )


def _begun_alike(subject: Subject, sizes: Sizes) -> Case:
    examples = topics(sizes.worked + sizes.asked, 0).support
    prompt = InContextPrompt("chat")
    shown, asked = examples[: sizes.worked], examples[sizes.worked :][: sizes.asked]
    conversations = [prompt.with_shots(shown, one) for one in asked]
    work = _Generation(subject, conversations, sizes.few_tokens)
    return Case(
        "generation-begun",
        f"Generation, {sizes.few_tokens} tokens for {len(asked)} questions after the same "
        f"{len(shown)} worked examples",
        "Greedy. headwise runs the worked examples once, transformers for every question, all in "
        "one batch.",
        (
            Contender("plain", "headwise", lambda: work.run(None), 2),
            Contender("transformers alone", "floor", work.run_transformers, 2),
        ),
        (Comparison("plain", "transformers alone", "cost"),),
        work.checks_of_text,
    )


class _Generation:
    """The work of all contenders.

    Args:
        subject: The model.
        conversations: Prompts.
        new_tokens: Tokens to write.
    """

    def __init__(
        self, subject: Subject, conversations: list[Conversation], new_tokens: int
    ) -> None:
        self._subject = subject
        self._conversations = conversations
        self._new_tokens = new_tokens
        rows = [subject.encoder.encode(conversation) for conversation in conversations]
        longest = max(map(len, rows))
        padded = [[subject.encoder.pad_id] * (longest - len(row)) + row for row in rows]
        seen = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
        device = subject.model.device
        self._input_ids = torch.tensor(padded, device=device)
        self._attention_mask = torch.tensor(seen, device=device)

    def run(self, steering: Steering | None) -> list[str]:
        """Writes with headwise."""
        sampling = Sampling(max_new_tokens=self._new_tokens)
        with _endless(self._subject.model):
            return self._subject.engine.generate(self._conversations, sampling, steering)

    @torch.no_grad()
    def run_transformers(self) -> torch.Tensor:
        """Writes with transformers alone; the new tokens."""
        model: Any = self._subject.model
        with _endless(model):
            output: torch.Tensor = model.generate(
                input_ids=self._input_ids,
                attention_mask=self._attention_mask,
                generation_config=GenerationConfig(
                    max_new_tokens=self._new_tokens,
                    do_sample=False,
                    pad_token_id=self._subject.encoder.pad_id,
                ),
            )
        return output[:, self._input_ids.shape[1] :]

    def checks(self, steering: Steering) -> tuple[Check, ...]:
        """Whether all write as many tokens, and plain text is what transformers writes."""
        counts = [self._passes(steering), self._passes(None)]
        return (
            Check(
                "forward passes by which steered and plain differ", abs(counts[0] - counts[1]), 0
            ),
            *self.checks_of_text(),
        )

    def checks_of_text(self) -> tuple[Check, ...]:
        """Whether plain text is what transformers writes."""
        expected = [self._subject.encoder.decode(ids) for ids in self.run_transformers().tolist()]
        said = self.run(None)
        differ = sum(a != b for a, b in zip(said, expected, strict=True))
        return (Check("plain texts that transformers alone writes otherwise", differ, 0),)

    def _passes(self, steering: Steering | None) -> int:
        count = 0

        def hook(module: nn.Module, args: tuple[object, ...]) -> None:
            nonlocal count
            count += 1

        handle = self._subject.model.get_output_embeddings().register_forward_pre_hook(hook)
        try:
            self.run(steering)
        finally:
            handle.remove()
        return count


@contextmanager
def _endless(model: Any) -> Iterator[None]:
    """Switches the end-of-text token off, until the block ends."""
    own = model.generation_config
    model.generation_config = GenerationConfig(
        bos_token_id=own.bos_token_id, pad_token_id=own.pad_token_id
    )
    try:
        yield
    finally:
        model.generation_config = own
