"""`mask_losses` equals one plain, patched forward pass a mask and conversation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from headwise.engines.transformers import TransformersEngine
from headwise.heads import HeadVectors
from tiny_models import family
from tiny_tokenizer import build_tokenizer

from .reference import mask_edits
from .subject import CONVERSATIONS, TARGETS, Subject, assert_close

SOME = (0, 1, 2)


def random_vectors(subject: Subject) -> HeadVectors:
    vectors = iter(subject.noise(subject.all_heads(), seed=5))
    layers = [torch.stack([next(vectors) for _ in range(n.n_heads)]) for n in subject.family.heads]
    return HeadVectors(subject.engine.layout, tuple(layers))


def expected_losses(
    subject: Subject, vectors: HeadVectors, masks: Tensor, target_tokens: int | None
) -> Tensor:
    """What plain forward passes give, `(S, n)`."""
    losses = torch.empty(len(masks), len(SOME), dtype=torch.float64)
    for column, number in enumerate(SOME):
        conversation, target = CONVERSATIONS[number], TARGETS[number]
        prompt = subject.reference.prompt(conversation)
        tokens = subject.reference.target(conversation, target)[:target_tokens]
        positions = range(len(prompt) - 1, len(prompt) - 1 + len(tokens))
        for row, mask in enumerate(masks):
            edits = mask_edits(mask, vectors, positions)
            logprobs = subject.reference.target_logprobs(prompt, tokens, edits)
            losses[row, column] = -logprobs.mean()
    return losses


@pytest.mark.parametrize("target_tokens", [1, 2, None])
def test_equals_plain_patched_forward_passes(subject: Subject, target_tokens: int | None) -> None:
    vectors, masks = random_vectors(subject), subject.masks(4)
    found = subject.engine.mask_losses(
        [CONVERSATIONS[number] for number in SOME],
        [TARGETS[number] for number in SOME],
        vectors,
        masks,
        target_tokens=target_tokens,
    )
    assert found.dtype == torch.float32
    assert_close(found, expected_losses(subject, vectors, masks, target_tokens), 2e-5)


@pytest.mark.parametrize("among", [("Yes", "No"), ("Yes", "No", "the mat", "the cat", "Yes")])
def test_a_target_can_compete_among_a_few_tokens_only(
    subject: Subject, among: tuple[str, ...]
) -> None:
    vectors, masks = random_vectors(subject), subject.masks(3)
    targets = ("No", "Yes", "No")
    some = [CONVERSATIONS[number] for number in SOME]
    found = subject.engine.mask_losses(some, targets, vectors, masks, among=among)
    for column, (conversation, target) in enumerate(zip(some, targets, strict=True)):
        prompt = subject.reference.prompt(conversation)
        first = {text: subject.reference.target(conversation, text)[0] for text in among}
        rivals = sorted(set(first.values()))
        for row, mask in enumerate(masks):
            edits = mask_edits(mask, vectors, [len(prompt) - 1])
            logprobs = subject.reference.logits(prompt, edits)[-1][rivals].log_softmax(dim=0)
            expected = -logprobs[rivals.index(first[target])]
            assert_close(found[row, column], expected, 2e-5)


# 40 lies between the conversations' lengths, 400 beyond them.
@pytest.mark.parametrize("window", [40, 400])
@pytest.mark.parametrize("name", ["mistral", "gemma3", "gpt_oss"])
def test_equals_plain_patched_forward_passes_with_a_wider_window(name: str, window: int) -> None:
    narrow = family(name)
    wide = replace(narrow, config={**narrow.config, "sliding_window": window})
    test_equals_plain_patched_forward_passes(Subject.of(wide, build_tokenizer()), None)


@pytest.mark.parametrize("among", [("Yes", "No", "the mat"), None], ids=["some", "all"])
def test_only_the_logits_of_the_tokens_that_compete_are_computed(
    llama: Subject, among: tuple[str, ...] | None
) -> None:
    vectors, masks, widths = random_vectors(llama), llama.masks(3), set()

    def losses() -> Tensor:
        return llama.engine.mask_losses(CONVERSATIONS, ("No",) * 5, vectors, masks, among=among)

    losses()  # With trials of what the model can do.
    handle = llama.model.register_forward_hook(
        lambda module, args, output: widths.add(output.logits.shape[-1])
    )
    try:
        losses()
    finally:
        handle.remove()
    assert widths == {llama.model.config.vocab_size if among is None else len(among)}


def test_kept_prefixes_under_a_small_memory_budget_change_nothing(llama: Subject) -> None:
    vectors, masks = random_vectors(llama), llama.masks(3)
    forgetful = TransformersEngine(llama.model, llama.tokenizer, prefix_bytes=0)
    for _ in range(2):
        found = forgetful.mask_losses(CONVERSATIONS, TARGETS, vectors, masks)
        kept = llama.engine.mask_losses(CONVERSATIONS, TARGETS, vectors, masks)
        assert torch.equal(found, kept)


@pytest.mark.parametrize("target_tokens", [1, None])
def test_masks_change_the_loss(subject: Subject, target_tokens: int | None) -> None:
    losses = subject.engine.mask_losses(
        CONVERSATIONS,
        TARGETS,
        random_vectors(subject),
        subject.masks(4),
        target_tokens=target_tokens,
    )
    assert bool(((losses[0] - losses[1:]).abs() > 1e-3).all())


@pytest.mark.parametrize("token_budget", [4096, 1])
def test_a_batch_equals_its_single_runs(subject: Subject, token_budget: int) -> None:
    engine = subject.with_budget(token_budget).engine
    vectors, masks = random_vectors(subject), subject.masks(3)
    found = engine.mask_losses(CONVERSATIONS, TARGETS, vectors, masks, target_tokens=None)
    single = [
        subject.engine.mask_losses([one], [target], vectors, mask[None], target_tokens=None)
        for mask in masks
        for one, target in zip(CONVERSATIONS, TARGETS, strict=True)
    ]
    assert_close(found, torch.cat(single).reshape(len(masks), -1), 2e-5)


def test_the_first_target_token_agrees_with_token_logprobs(subject: Subject) -> None:
    targets = ("Y",) * len(CONVERSATIONS)
    losses = subject.engine.mask_losses(
        CONVERSATIONS, targets, random_vectors(subject), subject.masks(2)[:1]
    )
    logprobs = subject.engine.token_logprobs(CONVERSATIONS, ["Y"])
    assert_close(losses[0], -logprobs[:, 0], 2e-5)


def test_the_same_call_gives_the_same_bits(subject: Subject) -> None:
    vectors, masks = random_vectors(subject), subject.masks(3)
    first, second = (
        subject.engine.mask_losses(CONVERSATIONS, TARGETS, vectors, masks) for _ in range(2)
    )
    assert torch.equal(first, second)
