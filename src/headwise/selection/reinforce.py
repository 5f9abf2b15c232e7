"""REINFORCE over head masks: learns which heads to steer from the losses of random masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.progress import progress_bar
from headwise.selection.search import (
    BestSoFar,
    SearchResult,
    SearchTask,
    heads_of_mask,
    losses_of,
    shuffled_passes,
)

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
        patience: Epochs without a lower held-out loss after which the search ends and goes back to
            the best; None never looks.
        check_every: Epochs from one look at the held-out loss to the next: that of the likely
            heads (probability above a half), which are then also among the final masks.
        seed: Seed of masks and prompts.

    Raises:
        InputError: A parameter is out of range.

    Source: MTV, arXiv:2406.15334, section 3.2; `paper()` gives its settings. The leave-one-out
    baseline, antithetic masks, several prompts an epoch and early stopping are ours.
    """

    epochs: int = 100
    masks_per_epoch: int = 32
    examples_per_epoch: int = 1
    learning_rate: float = 0.1
    initial_logit: float = -1.0
    final_masks: int = 10
    baseline: Baseline = "standardised"
    antithetic: bool = False
    patience: int | None = None
    check_every: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "masks_per_epoch", "examples_per_epoch", "final_masks"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 at least; got {getattr(self, name)}.")
        if self.check_every < 1 or (self.patience is not None and self.patience < 1):
            raise InputError(
                "check_every and patience are 1 at least (or patience None); got "
                f"{self.check_every} and {self.patience}."
            )
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

    @classmethod
    def variance_reduced(cls, *, seed: int = 0) -> Reinforce:
        """Fewer, better epochs: leave-one-out baseline, antithetic masks, early stopping."""
        return cls(epochs=200, baseline="leave_one_out", antithetic=True, patience=50, seed=seed)

    def search(
        self,
        engine: Engine,
        training: SearchTask,
        held_out: SearchTask,
        *,
        progress: bool = False,
    ) -> SearchResult:
        """Chooses heads; see `HeadSearch.search`."""
        start = torch.full((engine.layout.n_heads,), self.initial_logit)
        return self.search_from(start, engine, training, held_out, progress=progress)

    def search_from(
        self,
        initial_logits: Tensor,
        engine: Engine,
        training: SearchTask,
        held_out: SearchTask,
        *,
        progress: bool = False,
    ) -> SearchResult:
        """Chooses heads, starting from what is known of them.

        Args:
            initial_logits: `(H,)` float, in place of `initial_logit`.
            engine: See `HeadSearch.search`.
            training: See `HeadSearch.search`.
            held_out: See `HeadSearch.search`.
            progress: See `HeadSearch.search`.

        Returns:
            The heads and how well they do.
        """
        generator = torch.Generator().manual_seed(self.seed)
        logits = initial_logits.clone().requires_grad_()
        optimizer = torch.optim.Adam([logits], lr=self.learning_rate)
        groups = training.group_rows()
        order = shuffled_passes(len(groups), self.epochs * self.examples_per_epoch, self.seed)
        epoch_losses: list[float] = []
        best = BestSoFar()
        with progress_bar("Searching heads", self.epochs, enabled=progress) as bar:
            for epoch in range(self.epochs):
                start = epoch * self.examples_per_epoch
                drawn = order[start : start + self.examples_per_epoch]
                batch = training.rows([row for group in drawn for row in groups[group]])
                losses = self._step(engine, batch, logits, optimizer, generator)
                epoch_losses.append(float(losses.mean()))
                expected = float(torch.sigmoid(logits.detach()).sum())
                bar.advance(note=f"loss {epoch_losses[-1]:.3f}, {expected:.0f} heads")
                if self.patience is None or (epoch + 1) % self.check_every:
                    continue
                if best.has_waited(engine, held_out, epoch, logits.detach(), self.patience):
                    break
        learnt = logits.detach() if best.logits is None else best.logits
        return self._finish(engine, held_out, learnt, generator, epoch_losses)

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
        if self.patience is not None and bool((logits > 0).any()):
            drawn = torch.cat([drawn, (logits > 0)[None]])
        nothing = torch.zeros(1, len(logits), dtype=torch.bool)
        losses = losses_of(engine, held_out, torch.cat([nothing, drawn])).mean(dim=1)
        best = 1 + int(losses[1:].argmin())
        return SearchResult(
            heads=heads_of_mask(engine.layout, drawn[best - 1], probabilities),
            held_out_loss=float(losses[best]),
            plain_loss=float(losses[0]),
            epoch_losses=tuple(epoch_losses),
        )
