"""What the conformance tests are given, and how they compare and look for traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from headwise.engines.base import Engine
from headwise.engines.transformers import TransformersEngine
from headwise.heads import HeadActivations, HeadSet, HeadVectors, Steering
from headwise.prompts.conversation import Conversation
from tiny_models import Family

from .oracle import Oracle
from .reference import Reference

_TALE = "the cat sat on the mat and the dog sat on the cat. "
# One token, shorter than any window, chat, prefilled, and many times the sliding window.
CONVERSATIONS = (
    Conversation.user(_TALE * 3, system="Is this good?"),
    Conversation.completion("a"),
    Conversation.user("Is this a good answer?", prefill="Answer:"),
    Conversation.completion("the dog sat on"),
    Conversation.user("Hi"),
)
TARGETS = (" Yes", "No", " the mat", " cat and dog", "a")
CANDIDATES = ("Yes", " No", " a good answer")


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """An engine under test, and what it is held against.

    Args:
        family: The family.
        model: The model the engine runs.
        tokenizer: Its tokenizer.
        engine: The engine, with a token budget that takes all conversations at once.
        reference: The same model run plainly, one sequence at a time.
        oracle: Head outputs computed from attention weights and values.
    """

    family: Family
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    engine: Engine
    reference: Reference
    oracle: Oracle

    @classmethod
    def of(cls, family: Family, tokenizer: PreTrainedTokenizerFast) -> Subject:
        """The subject of one family."""
        model = family.build()
        engine = TransformersEngine(model, tokenizer, model_id=family.name, token_budget=4096)
        return cls(family, model, tokenizer, engine, Reference(family, tokenizer), Oracle(family))

    def with_budget(self, token_budget: int) -> Subject:
        """The same with an engine that batches fewer tokens at once."""
        engine = TransformersEngine(
            self.model, self.tokenizer, model_id=self.family.name, token_budget=token_budget
        )
        return replace(self, engine=engine)

    def all_heads(self) -> HeadSet:
        """Every head of the family, from the stated facts."""
        return HeadSet.of(
            (heads.layer, head) for heads in self.family.heads for head in range(heads.n_heads)
        )

    def some_heads(self) -> HeadSet:
        """A head of the first layer with heads and two of the last, the last first."""
        first, last = self.family.heads[0], self.family.heads[-1]
        return HeadSet.of([(last.layer, last.n_heads - 1), (first.layer, 1), (last.layer, 0)])

    def vectors_of(self, conversation: Conversation) -> HeadVectors:
        """The head outputs of one conversation, as vectors to put elsewhere."""
        return self.engine.capture([conversation]).mean()

    def noise(self, heads: HeadSet, seed: int = 0) -> tuple[Tensor, ...]:
        """A random vector a head."""
        generator = torch.Generator().manual_seed(seed)
        width = {one.layer: one.head_dim for one in self.family.heads}
        return tuple(torch.randn(width[index.layer], generator=generator) for index in heads)

    def steering(self, **how: Any) -> Steering:
        """A steering of some heads with random vectors."""
        heads = self.some_heads()
        return Steering(heads, self.noise(heads), **how)

    def masks(self, n: int) -> Tensor:
        """`(n, H)` masks: no head, every head, and random ones."""
        generator = torch.Generator().manual_seed(3)
        masks = torch.rand(n, len(self.all_heads()), generator=generator) < 0.3
        masks[0], masks[1] = False, True
        return masks


def assert_same_activations(
    found: HeadActivations, expected: HeadActivations, limit: float
) -> None:
    """Every layer agrees up to `limit` times the layer's largest value."""
    assert found.layout == expected.layout
    for entry, ours, theirs in zip(found.layout.layers, found.values, expected.values, strict=True):
        assert_close(ours, theirs, limit * float(theirs.abs().max()), f"layer {entry.layer}")


def assert_close(found: Tensor, expected: Tensor, limit: float, what: str = "values") -> None:
    """No element is further off than `limit`."""
    assert found.shape == expected.shape
    error = float((found.double() - expected.double()).abs().max())
    assert error <= limit, f"{what}: off by {error:.2e}, allowed {limit:.2e}"


def alone(engine: Engine, conversations: Sequence[Conversation]) -> HeadActivations:
    """Activations of conversations captured one at a time."""
    parts = [engine.capture([conversation]) for conversation in conversations]
    layers = zip(*(part.values for part in parts), strict=True)
    return HeadActivations(parts[0].layout, tuple(torch.cat(layer) for layer in layers))


@dataclass(frozen=True, slots=True)
class Traces:
    """All that an engine could leave behind in a user's model and tokenizer."""

    hooks: dict[str, int]
    training: dict[str, bool]
    weights: dict[str, float]
    config: dict[str, Any]
    generation: dict[str, Any]
    tokenizer: dict[str, Any]
    grad_enabled: bool

    @classmethod
    def of(cls, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> Traces:
        """The state of a model and a tokenizer now."""
        modules = dict(model.named_modules())
        backend = tokenizer.backend_tokenizer
        return cls(
            hooks={name: _count_hooks(module) for name, module in modules.items()},
            training={name: module.training for name, module in modules.items()},
            weights={
                name: float(p.detach().double().sum()) for name, p in model.named_parameters()
            },
            config={**model.config.to_dict(), "attention": model.config._attn_implementation},
            generation=model.generation_config.to_dict(),
            tokenizer={
                "sides": (tokenizer.padding_side, tokenizer.truncation_side),
                "special": dict(tokenizer.special_tokens_map),
                "template": tokenizer.chat_template,
                "padding": backend.padding,
                "truncation": backend.truncation,
            },
            grad_enabled=torch.is_grad_enabled(),
        )


def _count_hooks(module: nn.Module) -> int:
    registries = [value for name, value in vars(module).items() if name.endswith("_hooks")]
    return sum(len(registry) for registry in registries) + ("forward" in vars(module))
