"""Head search: one epoch of 32 masks on one prompt."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks import naive
from benchmarks.floor import base_passes, full_passes
from benchmarks.results import Case, Check, Comparison
from benchmarks.sizes import Sizes
from benchmarks.subjects import Subject
from benchmarks.texts import running_words, text_of_length, topics
from benchmarks.timing import Contender
from headwise.heads import HeadVectors
from headwise.prompts.conversation import Conversation

_TARGET = " delivery"
# Speed-up over the naive epoch and cost of a plain pass of as many tokens as masks.
_TARGETS = {16: (20.0, 1.3), 128: (60.0, 1.3), 512: (150.0, 1.3), 2048: (400.0, 2.0)}


def search_cases(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Case]:
    """One search epoch at several prompt lengths.

    Args:
        subject: The model.
        sizes: How large the cases are.
        seed: Seed of the masks.

    Yields:
        One case a prompt length.
    """
    texts = tuple(example.text for example in topics(2, 0).support)
    vectors = subject.mean_vectors(texts)
    for n_tokens, naive_masks in sizes.prompts.items():
        epoch = _Epoch(subject, vectors, n_tokens, sizes.masks, naive_masks, seed)
        yield _epoch_case(subject, epoch, n_tokens, sizes.calls)


class _Epoch:
    """The losses of one prompt under an epoch's masks.

    Args:
        subject: The model.
        vectors: What masked heads say.
        n_tokens: Length of the prompt.
        n_masks: Masks an epoch.
        naive_masks: Masks that the naive way is timed on.
        seed: Seed of the masks.
    """

    def __init__(
        self,
        subject: Subject,
        vectors: HeadVectors,
        n_tokens: int,
        n_masks: int,
        naive_masks: int,
        seed: int,
    ) -> None:
        self._subject, self._vectors, self._seed = subject, vectors, seed
        self.n_masks, self._naive_masks = n_masks, naive_masks
        text = text_of_length(n_tokens, self._count, running_words(), "\nTopic:")
        self._conversation = Conversation.completion(text)
        self.ids = subject.encoder.encode(self._conversation)
        self._target = subject.encoder.encode_target(self._conversation, _TARGET)[0]
        self._n_heads = subject.engine.layout.n_heads
        self._found = torch.empty(0)

    def _count(self, text: str) -> int:
        return len(self._subject.encoder.encode(Conversation.completion(text)))

    def losses(self, masks: Tensor) -> Tensor:
        """`(S,)` losses by headwise."""
        score = self._subject.engine.mask_losses
        return score([self._conversation], [_TARGET], self._vectors, masks)[:, 0]

    def naive_losses(self, masks: Tensor) -> Tensor:
        """`(S,)` losses by a whole forward pass a mask."""
        model, vectors = self._subject.model, self._vectors.values
        self._found = naive.mask_losses(model, self.ids, self._target, vectors, masks)
        return self._found

    def contenders(self, calls: int) -> tuple[Contender, ...]:
        """Both ways; `calls` of what is short."""
        scale = self.n_masks / self._naive_masks
        note = "" if scale == 1 else f"timed on {self._naive_masks} masks, times {scale:g}"

        def ours() -> Tensor:
            return naive.first_epoch(self.losses, self._n_heads, self.n_masks, self._seed)

        def theirs() -> Tensor:
            return naive.first_epoch(
                self.naive_losses, self._n_heads, self._naive_masks, self._seed
            )

        return (
            Contender("headwise", "headwise", ours, calls),
            Contender(
                "headwise, first time",
                "headwise",
                ours,
                prepare=self._subject.engine.forget_prefixes,
                note="the prompt's prefix is run as well",
            ),
            Contender(
                "naive",
                "naive",
                theirs,
                scale=scale,
                warm=lambda: self.naive_losses(self._masks()[:1]),
                note=note,
            ),
        )

    def checks(self) -> tuple[Check, ...]:
        """Whether both ways give the same losses for the masks that both ran."""
        # The naive losses are those of the last timed epoch: at 2,048 tokens they take a while.
        theirs = self._found
        difference = float(((self.losses(self._masks()) - theirs) / theirs).abs().max())
        limit = 1e-3 if self._subject.model.dtype == torch.float32 else 5e-2
        return (Check("largest relative difference of a loss from naive", difference, limit),)

    def _masks(self) -> Tensor:
        """The masks that the naive way is timed on."""
        return naive.first_masks(self._n_heads, self._naive_masks, self._seed)


def _epoch_case(subject: Subject, epoch: _Epoch, n_tokens: int, calls: int) -> Case:
    n_masks, model = epoch.n_masks, subject.model
    one_row = [torch.tensor([(epoch.ids * n_masks)[:n_masks]], device=model.device)]
    with_logits, base = f"plain pass of {n_masks} tokens", f"base pass of {n_masks} tokens"
    floors = (
        Contender(with_logits, "floor", lambda: full_passes(model, one_row), calls),
        Contender(base, "floor", lambda: base_passes(model, one_row), calls),
    )
    speedup, cost = _TARGETS.get(n_tokens, (None, None))
    return Case(
        f"search-{n_tokens}",
        f"One search epoch, {n_masks} masks, prompt of {len(epoch.ids)} tokens",
        "Masks drawn, the target's loss under each, and the policy's step. headwise has met the "
        "prompt before, as in every epoch but an example's first. The plain pass gives logits at "
        "every position, the base pass none.",
        (*epoch.contenders(calls), *floors),
        (
            Comparison("headwise", "naive", "speedup", speedup),
            Comparison("headwise, first time", "naive", "speedup"),
            Comparison("headwise", with_logits, "cost", cost),
            Comparison("headwise", base, "cost"),
        ),
        epoch.checks,
    )
