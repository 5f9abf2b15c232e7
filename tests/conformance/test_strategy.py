"""Masks cost a token each where the model allows it, and a way that errs is never taken."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from headwise.engines.transformers import TransformersEngine, masks
from headwise.heads import HeadVectors
from headwise.prompts.conversation import Conversation
from tiny_models import family
from tiny_tokenizer import build_tokenizer

from .subject import CONVERSATIONS, TARGETS, Subject, assert_close

Shape = tuple[int, ...]
PROMPT = CONVERSATIONS[0]


def shapes_run(engine: TransformersEngine, vectors: HeadVectors, chosen: Tensor) -> list[Shape]:
    """Shapes of the tokens that pass through the model when masks are run a second time."""
    engine.mask_losses([PROMPT], [" Yes"], vectors, chosen)
    run: list[Shape] = []
    handle = engine.model.get_input_embeddings().register_forward_pre_hook(
        lambda module, args: run.append(tuple(args[0].shape))
    )
    try:
        engine.mask_losses([PROMPT], [" Yes"], vectors, chosen)
    finally:
        handle.remove()
    return run


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("llama", (1, 50)),
        ("gpt2", (1, 50)),
        ("qwen3_moe", (1, 50)),
        ("gemma3", (50, 1)),  # The prompt is longer than its window.
        ("bloom", (50, 1)),  # ALiBi counts positions itself.
    ],
)
def test_a_mask_costs_one_token(name: str, shape: Shape, dtype: torch.dtype) -> None:
    subject = Subject.of(family(name), build_tokenizer())
    engine = TransformersEngine(subject.family.build().to(dtype), subject.tokenizer)
    vectors = subject.vectors_of(CONVERSATIONS[2])
    assert shapes_run(engine, vectors, subject.masks(50)) == [shape]


def all_visible(length: int, n: int, m: int, device: torch.device) -> Tensor:
    seen = torch.ones(n * m, length + n * m, dtype=torch.bool, device=device)
    return seen.tril(length)


def last_hidden(length: int, n: int, m: int, device: torch.device) -> Tensor:
    seen = torch.cat(
        [
            torch.ones(n * m, length, dtype=torch.bool, device=device),
            torch.kron(torch.eye(n, dtype=torch.bool), torch.ones(m, m, dtype=torch.bool).tril()),
        ],
        dim=1,
    )
    seen[:, length - 1] = False
    return seen


@pytest.mark.parametrize("broken", [all_visible, last_hidden], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", ["llama", "gpt2", "phi3", "qwen3_moe", "gpt_neox"])
@pytest.mark.parametrize(
    "conversation", [PROMPT, Conversation.completion("the dog sat on")], ids=["long", "short"]
)
def test_a_kernel_that_sees_too_much_or_too_little_is_found_out(
    name: str, broken: object, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = Subject.of(family(name), build_tokenizer())
    vectors, chosen = subject.vectors_of(CONVERSATIONS[2]), subject.masks(6)
    expected = subject.engine.mask_losses([conversation], TARGETS[:1], vectors, chosen)
    monkeypatch.setattr(masks, "_visibility", broken)
    engine = TransformersEngine(subject.model, subject.tokenizer)
    found = engine.mask_losses([conversation], TARGETS[:1], vectors, chosen)
    assert_close(found, expected, 2e-5)
