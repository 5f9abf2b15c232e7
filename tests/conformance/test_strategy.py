"""Masks cost a token each where the model allows it, and a way that errs is never taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
    with watched(engine) as run:
        engine.mask_losses([PROMPT], [" Yes"], vectors, chosen)
    return run


@contextmanager
def watched(engine: TransformersEngine) -> Iterator[list[Shape]]:
    """The shapes of the tokens that pass through the model while the block runs."""
    run: list[Shape] = []
    handle = engine.model.get_input_embeddings().register_forward_pre_hook(
        lambda module, args: run.append(tuple(args[0].shape))
    )
    try:
        yield run
    finally:
        handle.remove()


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


@pytest.mark.parametrize("target", [" Yes", " cat and dog"])
def test_prompts_of_unequal_length_run_in_one_step(llama: Subject, target: str) -> None:
    some = [CONVERSATIONS[number] for number in (0, 2, 3, 4)]
    vectors, chosen = llama.vectors_of(CONVERSATIONS[2]), llama.masks(6)
    tokens = len(llama.reference.target(some[0], target))

    def losses() -> Tensor:
        return llama.engine.mask_losses(
            some, [target] * len(some), vectors, chosen, target_tokens=None
        )

    losses()
    with watched(llama.engine) as run:
        losses()
    assert run == [(len(some), len(chosen) * tokens)]


def test_a_step_stays_within_the_token_budget(llama: Subject) -> None:
    vectors, chosen = llama.vectors_of(CONVERSATIONS[2]), llama.masks(6)
    length = len(llama.reference.prompt(PROMPT))
    for fit in (1, 2, 3):
        engine = llama.with_budget(fit * (length + 6) + 3).engine
        engine.mask_losses([PROMPT] * 6, [" Yes"] * 6, vectors, chosen)
        with watched(engine) as run:
            engine.mask_losses([PROMPT] * 6, [" Yes"] * 6, vectors, chosen)
        assert run == [(fit, 6)] * (6 // fit)


@pytest.mark.parametrize("name", ["llama", "qwen3", "gpt2"])
def test_a_step_copies_no_keys_and_values_of_the_prefix(name: str) -> None:
    """What attention sees of the prefix is the memory that is kept, one copy for all heads."""
    subject = Subject.of(family(name), build_tokenizer())
    one, vectors = Conversation.completion("the dog"), subject.vectors_of(CONVERSATIONS[2])
    seen: list[Tensor] = []  # Kept, so that no address is used twice.
    plain = torch.nn.functional.scaled_dot_product_attention

    def attend(query: Tensor, key: Tensor, *rest: object, **more: object) -> Tensor:
        seen.append(key)
        return plain(query, key, *rest, **more)

    subject.engine.mask_losses([one], [" Yes"], vectors, subject.masks(3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", attend)
        for _ in range(2):
            subject.engine.mask_losses([one], [" Yes"], vectors, subject.masks(3))
    first, second = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    assert [key.shape[1] for key in first] == [layer.n_kv_heads for layer in subject.family.heads]
    assert [key.data_ptr() for key in first] == [key.data_ptr() for key in second]


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
