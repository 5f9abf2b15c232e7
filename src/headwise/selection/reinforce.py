"""REINFORCE over head masks: learns which heads to steer from the losses of random masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from headwise.engines.base import Engine
from headwise.errors import ActivationError, InputError
from headwise.heads import HeadLayout, HeadSet
from headwise.progress import progress_bar
from headwise.selection.search import SearchResult, SearchTask

Baseline = Literal["standardised", "leave_one_out"]
_CLAMP = 1e-3


@dataclass(frozen=True, slots=True)
class Reinforce:
    """Learns a Bernoulli probability a head by REINFORCE and keeps the best of a few masks.

    Args:
        epochs: Steps of the search.
        masks_per_epoch: Masks drawn each epoch.
        examples_per_epoch: Prompts (or groups of prompts, such as pairs) each mask is tried on.
        learning_rate: Of Adam.
        initial_logit: Where every head's logit starts; -1 is a probability of 0.27.
        final_masks: Masks drawn from what was learnt; the one with the lowest held-out loss wins.
        baseline: `"standardised"` scales an epoch's losses by their deviation, as published;
            `"leave_one_out"` compares each mask with the mean of the others.
        antithetic: Whether masks are drawn in pairs from mirrored random numbers, which halves the
            noise of the comparison.
        seed: Seed of masks and prompts.

    Raises:
        InputError: A parameter is out of range.

    Source: MTV, arXiv:2406.15334, section 3.2; `paper()` gives its settings. The leave-one-out
    baseline, antithetic masks and several prompts an epoch are ours.
    """

    epochs: int = 100
    masks_per_epoch: int = 32
    examples_per_epoch: int = 1
    learning_rate: float = 0.1
    initial_logit: float = -1.0
    final_masks: int = 10
    baseline: Baseline = "standardised"
    antithetic: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "masks_per_epoch", "examples_per_epoch", "final_masks"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 at least; got {getattr(self, name)}.")
        if self.baseline not in ("standardised", "leave_one_out"):
            raise InputError(
                f"baseline is 'standardised' or 'leave_one_out'; got {self.baseline!r}."
            )
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate must be above 0; got {self.learning_rate}.")
        if self.masks_per_epoch < 2:
            raise InputError("masks_per_epoch must be 2 at least: masks are compared.")
        if self.antithetic and self.masks_per_epoch % 2:
            raise InputError("antithetic masks come in pairs; masks_per_epoch must be even.")

    @classmethod
    def paper(cls, *, seed: int = 0) -> Reinforce:
        """The published settings: 600 epochs of 32 masks on one example, Adam at 0.1."""
        return cls(epochs=600, seed=seed)

    def search(
        self,
        engine: Engine,
        training: SearchTask,
        held_out: SearchTask,
        *,
        progress: bool = False,
    ) -> SearchResult:
        """Chooses heads; see `HeadSearch.search`."""
        generator = torch.Generator().manual_seed(self.seed)
        logits = torch.full((engine.layout.n_heads,), self.initial_logit, requires_grad=True)
        optimizer = torch.optim.Adam([logits], lr=self.learning_rate)
        groups = training.group_rows()
        order = _shuffled_passes(len(groups), self.epochs * self.examples_per_epoch, self.seed)
        epoch_losses = []
        with progress_bar("Searching heads", self.epochs, enabled=progress) as bar:
            for epoch in range(self.epochs):
                start = epoch * self.examples_per_epoch
                drawn = order[start : start + self.examples_per_epoch]
                batch = training.rows([row for group in drawn for row in groups[group]])
                losses = self._step(engine, batch, logits, optimizer, generator)
                epoch_losses.append(float(losses.mean()))
                expected = float(torch.sigmoid(logits.detach()).sum())
                bar.advance(note=f"loss {epoch_losses[-1]:.3f}, {expected:.0f} heads")
        return self._finish(engine, held_out, logits.detach(), generator, epoch_losses)

    def _step(
        self,
        engine: Engine,
        batch: SearchTask,
        logits: Tensor,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> Tensor:
        probabilities = torch.sigmoid(logits).clamp(_CLAMP, 1 - _CLAMP)
        masks = self._draw(probabilities.detach(), self.masks_per_epoch, generator)
        losses = losses_of(engine, batch, masks)
        advantages = self._advantages(losses).mean(dim=1)
        chosen = torch.where(masks, probabilities, 1 - probabilities)
        objective = (advantages * chosen.log().sum(dim=1)).mean()
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
        return losses

    def _draw(self, probabilities: Tensor, count: int, generator: torch.Generator) -> Tensor:
        if not self.antithetic:
            return torch.rand(count, len(probabilities), generator=generator) < probabilities
        half = torch.rand(count // 2, len(probabilities), generator=generator)
        return torch.cat([half, 1 - half]) < probabilities

    def _advantages(self, losses: Tensor) -> Tensor:
        """`(S, n)`: how much worse than its peers each mask did on each prompt."""
        if self.baseline == "leave_one_out":
            n = len(losses)
            return (losses - losses.mean(dim=0)) * n / (n - 1)
        return (losses - losses.mean(dim=0)) / (losses.std(dim=0) + 1e-3)

    def _finish(
        self,
        engine: Engine,
        held_out: SearchTask,
        logits: Tensor,
        generator: torch.Generator,
        epoch_losses: list[float],
    ) -> SearchResult:
        probabilities = torch.sigmoid(logits).clamp(_CLAMP, 1 - _CLAMP)
        drawn = torch.rand(self.final_masks, len(logits), generator=generator) < probabilities
        nothing = torch.zeros(1, len(logits), dtype=torch.bool)
        losses = losses_of(engine, held_out, torch.cat([nothing, drawn])).mean(dim=1)
        best = 1 + int(losses[1:].argmin())
        return SearchResult(
            heads=heads_of_mask(engine.layout, drawn[best - 1], probabilities),
            held_out_loss=float(losses[best]),
            plain_loss=float(losses[0]),
            epoch_losses=tuple(epoch_losses),
        )


def losses_of(engine: Engine, task: SearchTask, masks: Tensor) -> Tensor:
    """The losses of a task under some masks, `(S, n)`.

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


def _shuffled_passes(n_groups: int, n_draws: int, seed: int) -> list[int]:
    """Shuffled passes over the groups, so that each is seen equally often."""
    random = np.random.default_rng(seed)
    passes = -(-n_draws // n_groups)
    order = np.concatenate([random.permutation(n_groups) for _ in range(passes)])
    return [int(number) for number in order[:n_draws]]
