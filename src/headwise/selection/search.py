"""The protocol of head searches: find the heads whose replacement makes targets likely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from headwise.engines.base import Engine
from headwise.errors import ActivationError, InputError
from headwise.heads import HeadLayout, HeadSet, HeadVectors
from headwise.prompts.conversation import Conversation


@dataclass(frozen=True, slots=True, eq=False)
class SearchTask:
    """What steered heads should bring about.

    Args:
        conversations: `n` prompts.
        targets: The continuation each should have.
        vectors: What a chosen head's last-token output is replaced by, for every head.
        target_tokens: How many tokens of a target count; None for all.
        among: Where given, a target's first token competes with these continuations only, instead
            of the whole vocabulary.
        groups: Prompts that are always tried together, such as both responses of a pair; each
            prompt on its own where None.

    Raises:
        InputError: No prompts, or another number of targets.
    """

    conversations: tuple[Conversation, ...]
    targets: tuple[str, ...]
    vectors: HeadVectors
    target_tokens: int | None = 1
    among: tuple[str, ...] | None = None
    groups: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.conversations or len(self.conversations) != len(self.targets):
            raise InputError(
                f"A head search needs prompts with a target each; got {len(self.conversations)} "
                f"prompts and {len(self.targets)} targets."
            )
        if self.groups is not None and len(self.groups) != len(self.conversations):
            raise InputError("A head search with groups needs one group a prompt.")

    def __len__(self) -> int:
        return len(self.conversations)

    def rows(self, indices: Sequence[int]) -> SearchTask:
        """The task on some of the prompts."""
        return SearchTask(
            tuple(self.conversations[i] for i in indices),
            tuple(self.targets[i] for i in indices),
            self.vectors,
            self.target_tokens,
            self.among,
            None if self.groups is None else tuple(self.groups[i] for i in indices),
        )

    def group_rows(self) -> list[list[int]]:
        """The rows of each group, in order of appearance."""
        if self.groups is None:
            return [[row] for row in range(len(self))]
        rows: dict[int, list[int]] = {}
        for row, group in enumerate(self.groups):
            rows.setdefault(group, []).append(row)
        return list(rows.values())


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a head search found.

    Args:
        heads: The chosen heads, best first; the score is the search's own confidence.
        held_out_loss: Mean loss on held-out prompts with these heads steered.
        plain_loss: The same with nothing steered.
        epoch_losses: Mean loss over the masks of each epoch.
    """

    heads: HeadSet
    held_out_loss: float
    plain_loss: float
    epoch_losses: tuple[float, ...]


@runtime_checkable
class HeadSearch(Protocol):
    """A way of choosing the heads to steer."""

    def search(
        self,
        engine: Engine,
        training: SearchTask,
        held_out: SearchTask,
        *,
        progress: bool = False,
    ) -> SearchResult:
        """Chooses heads.

        Args:
            engine: The frozen model.
            training: Prompts to learn from.
            held_out: Prompts by which the final heads are picked.
            progress: Whether to show a progress bar on stderr.

        Returns:
            The heads and how well they do.
        """
        ...


def hold_out(n_groups: int, share: float, seed: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Splits groups at random into training and held-out.

    Args:
        n_groups: How many groups (such as preference pairs).
        share: The share held out; one group at least. A single group serves as both.
        seed: Seed of the split.

    Returns:
        Training and held-out group numbers, each ascending.
    """
    if n_groups == 1:
        return (0,), (0,)
    order = np.random.default_rng(seed).permutation(n_groups)
    n_held = min(max(1, round(share * n_groups)), n_groups - 1)
    return tuple(sorted(order[n_held:].tolist())), tuple(sorted(order[:n_held].tolist()))


def losses_of(engine: Engine, task: SearchTask, masks: Tensor) -> Tensor:
    """The losses of a task under some masks, `(S, n)`.

    Args:
        engine: The frozen model.
        task: The prompts.
        masks: `(S, H)` bool, heads in layout order.

    Returns:
        `(S, n)` float32.

    Raises:
        ActivationError: A loss is NaN or infinite.
    """
    losses = engine.mask_losses(
        task.conversations,
        task.targets,
        task.vectors,
        masks,
        target_tokens=task.target_tokens,
        among=task.among,
    )
    if not bool(torch.isfinite(losses).all()):
        raise ActivationError(
            "The model gave NaN or infinite losses when heads were steered. Try dtype='float32' or "
            "'bfloat16' instead of float16."
        )
    return losses


def heads_of_mask(layout: HeadLayout, mask: Tensor, scores: Tensor) -> HeadSet:
    """The heads of a mask, the highest score first.

    Args:
        layout: The model's heads.
        mask: `(H,)` bool in layout order.
        scores: `(H,)` float, a score a head.

    Returns:
        The masked heads; of equal scores the shallower first.
    """
    rows = [
        (-float(scores[number]), index) for number, index in enumerate(layout) if bool(mask[number])
    ]
    rows.sort()
    return HeadSet(tuple(index for _, index in rows), tuple(-score for score, _ in rows))


def shuffled_passes(n_groups: int, n_draws: int, seed: int) -> list[int]:
    """Shuffled passes over groups, so that each is seen equally often.

    Args:
        n_groups: How many groups.
        n_draws: How many of them are needed.
        seed: Seed of the shuffling.

    Returns:
        `n_draws` group numbers.
    """
    random = np.random.default_rng(seed)
    passes = -(-n_draws // n_groups)
    order = np.concatenate([random.permutation(n_groups) for _ in range(passes)])
    return [int(number) for number in order[:n_draws]]


@dataclass(slots=True)
class BestSoFar:
    """What did best on held-out prompts so far, for searches that end early.

    Args:
        logits: `(H,)` float: what was learnt when it did best; None before the first look.
        loss: The held-out loss then.
        epoch: The epoch then.
    """

    logits: Tensor | None = None
    loss: float = float("inf")
    epoch: int = 0

    def look(self, epoch: int, loss: float, logits: Tensor) -> None:
        """Takes note of an epoch.

        Args:
            epoch: Its number.
            loss: Its held-out loss.
            logits: `(H,)` float, what is learnt by then.
        """
        if loss < self.loss:
            self.logits, self.loss, self.epoch = logits.clone(), loss, epoch

    def has_waited(
        self, engine: Engine, held_out: SearchTask, epoch: int, logits: Tensor, patience: int
    ) -> bool:
        """Looks at the held-out loss of the likely heads (probability above a half).

        Args:
            engine: The frozen model.
            held_out: The prompts.
            epoch: The number of the epoch.
            logits: `(H,)` float, what is learnt by then.
            patience: Epochs without a lower loss after which it is enough.

        Returns:
            Whether it is enough.
        """
        loss = losses_of(engine, held_out, (logits > 0)[None]).mean()
        self.look(epoch, float(loss), logits)
        return epoch - self.epoch >= patience
