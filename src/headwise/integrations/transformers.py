"""A transformers model, such as the one a TRL trainer holds, as a generator of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from headwise.errors import InputError
from headwise.examples import Prompt
from headwise.prompts.conversation import parse_messages


@dataclass(frozen=True, slots=True, eq=False)
class TransformersSampler:
    """Samples responses with a model's own `generate`; a `Sampler` for `best_of_n`.

    Args:
        model: A causal language model, trained or not, with or without adapters.
        tokenizer: Its tokenizer. Chat messages go through its template, plain prompts are
            continued as they are, as TRL has it.
        max_new_tokens: Cap on the tokens of a sample.
        temperature: 0 is greedy, for which all samples of a prompt are the same.
        top_p: Nucleus mass.
        seed: Seed of each call; torch's own generators are left as they were.
        batch_size: Prompts that are run together.
    """

    model: Any
    tokenizer: Any
    max_new_tokens: int = 64
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
    batch_size: int = 16

    def __call__(self, prompts: Sequence[Prompt]) -> list[str]:
        """One sample a prompt.

        Args:
            prompts: `n` prompts, equal ones any number of times.

        Returns:
            `n` texts without special tokens.

        Raises:
            InputError: A prompt is chat messages and the tokenizer has no chat template, or it
                shows pictures.
        """
        encoded = [self._encoded(prompt) for prompt in prompts]
        was_training = self.model.training
        self.model.eval()
        samples: list[str] = []
        cuda = [self.model.device] if self.model.device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices=cuda), torch.no_grad():
                torch.manual_seed(self.seed)
                for start in range(0, len(encoded), self.batch_size):
                    samples += self._sampled(encoded[start : start + self.batch_size])
        finally:
            self.model.train(was_training)
        return samples

    def _encoded(self, prompt: Prompt) -> list[int]:
        if isinstance(prompt, str):
            return list(self.tokenizer(prompt)["input_ids"])
        shown = parse_messages(prompt)
        if any(turn.images for turn in shown):
            raise InputError("This sampler shows no pictures; sample with the model's processor.")
        if not self.tokenizer.chat_template:
            raise InputError(
                "A prompt is chat messages, but the tokenizer has no chat template; give prompts "
                "as text."
            )
        text = self.tokenizer.apply_chat_template(
            [{"role": turn.role, "content": turn.text} for turn in shown],
            add_generation_prompt=True,
            tokenize=False,
        )
        # The template has written its special tokens already.
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _sampled(self, rows: list[list[int]]) -> list[str]:
        ids = self.tokenizer.pad_token_id
        pad_id = self.tokenizer.eos_token_id if ids is None else ids
        longest = max(map(len, rows))
        input_ids = torch.full((len(rows), longest), pad_id or 0)
        mask = torch.zeros_like(input_ids)
        for row, tokens in enumerate(rows):
            input_ids[row, longest - len(tokens) :] = torch.tensor(tokens)
            mask[row, longest - len(tokens) :] = 1
        how: dict[str, Any] = {"do_sample": False}
        if self.temperature > 0:
            how = {"do_sample": True, "temperature": self.temperature, "top_p": self.top_p}
        written = self.model.generate(
            input_ids=input_ids.to(self.model.device),
            attention_mask=mask.to(self.model.device),
            max_new_tokens=self.max_new_tokens,
            pad_token_id=pad_id,
            **how,
        )
        texts = self.tokenizer.batch_decode(written[:, longest:], skip_special_tokens=True)
        return list(texts)
