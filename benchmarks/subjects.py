"""The models that are measured: a real one on the CPU, a large one with random weights on a GPU."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

import headwise
from headwise.engines.transformers.engine import CPU_TOKEN_BUDGET, GPU_TOKEN_BUDGET
from headwise.engines.transformers.tokens import PromptEncoder
from headwise.heads import HeadSet, HeadVectors, Steering
from headwise.prompts.conversation import Conversation

_STEERED_HEADS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A model under measurement.

    Args:
        name: What reports call it.
        engine: Its engine.
        token_budget: Padded tokens of the engine's batches.
        is_embedded: Whether it is the model that the targets are stated for.
    """

    name: str
    engine: headwise.TransformersEngine
    token_budget: int
    is_embedded: bool = False

    @property
    def model(self) -> PreTrainedModel:
        """The transformers model."""
        return self.engine.model

    @property
    def encoder(self) -> PromptEncoder:
        """Conversations to tokens, as the engine makes them."""
        return PromptEncoder(self.engine.tokenizer)

    def steering(self, vectors: HeadVectors, seed: int) -> Steering:
        """Replaces some heads all over the model at every token generated."""
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(self.engine.layout.n_heads, generator=generator)[:_STEERED_HEADS]
        everyone = list(self.engine.layout)
        heads = HeadSet.of(everyone[place] for place in sorted(order.tolist()))
        return Steering.from_vectors(heads, vectors, positions="generated")

    def mean_vectors(self, texts: tuple[str, ...]) -> HeadVectors:
        """Mean head outputs over some texts."""
        return self.engine.capture([Conversation.completion(text) for text in texts]).mean()


def small_subject(model_id: str | None) -> Subject:
    """A language model in float32 on the CPU.

    Args:
        model_id: A model built like Llama; None for the embedded SmolLM2-135M-Instruct.

    Returns:
        The subject.
    """
    engine = headwise.load(model_id, dtype="float32", device="cpu", token_budget=CPU_TOKEN_BUDGET)
    name = model_id or "SmolLM2-135M-Instruct"
    return Subject(f"{name}, float32, CPU", engine, CPU_TOKEN_BUDGET, model_id is None)


def large_subject(tokenizer: PreTrainedTokenizerBase, seed: int) -> Subject:
    """A Llama of 7B shape with random weights, bfloat16, on the first GPU.

    Args:
        tokenizer: Any tokenizer; the vocabulary is made as large as it needs.
        seed: Seed of the weights.

    Returns:
        The subject.
    """
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=4096,
        intermediate_size=11008,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=32,
        max_position_embeddings=4096,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    engine = headwise.TransformersEngine(
        random_llama(config, "cuda", seed),
        tokenizer,
        model_id="random-7b",
        token_budget=GPU_TOKEN_BUDGET,
    )
    return Subject("Llama of 7B shape, random weights, bfloat16, GPU", engine, GPU_TOKEN_BUDGET)


def random_llama(config: LlamaConfig, device: str, seed: int) -> LlamaForCausalLM:
    """A Llama with random weights in bfloat16, made where it is to run.

    Args:
        config: Its shape.
        device: Where it is made.
        seed: Seed of the weights.

    Returns:
        The model, in evaluation mode.
    """
    torch.manual_seed(seed)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            model = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(usual)
    model.eval()
    return model
