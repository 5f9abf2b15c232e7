"""Gradient descent on head probabilities: every backward pass tells of all heads at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.progress import progress_bar
from headwise.selection.attribution import effects_of
from headwise.selection.ranking import best_of_ranking, check_sizes, growing_sizes
from headwise.selection.search import (
    BestSoFar,
    SearchResult,
    SearchTask,
    shuffled_passes,
)


@dataclass(frozen=True, slots=True)
class MaskDescent:
    """Learns a Bernoulli probability a head from gradients through sampled masks.

    Where REINFORCE learns from one number a mask, the loss, this takes the loss's derivative by
    every head's replacement, at masks drawn from the probabilities (straight-through). So it sees
    how heads interact, as one attribution at the plain model cannot, and needs a tenth of the
    steps.

    Args:
        epochs: Steps of the search.
        examples_per_epoch: Prompts (or groups of prompts) an epoch, each under a mask of its own.
        learning_rate: Of Adam, on the logits.
        initial_logit: Where every head's logit starts; -1 is a probability of 0.27.
        sizes: Numbers of the likeliest heads to try on held-out prompts; None for a grid up to
            all whose probability has risen.
        patience: Epochs without a lower held-out loss after which the search ends and goes back to
            the best; None never looks.
        check_every: Epochs from one look at the held-out loss to the next: that of the likely
            heads (probability above a half).
        seed: Seed of masks and prompts.

    Raises:
        InputError: A parameter is out of range.
    """

    epochs: int = 40
    examples_per_epoch: int = 16
    learning_rate: float = 0.5
    initial_logit: float = -1.0
    sizes: tuple[int, ...] | None = None
    patience: int | None = None
    check_every: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "examples_per_epoch", "check_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 at least; got {getattr(self, name)}.")
        if self.patience is not None and self.patience < 1:
            raise InputError(f"patience is 1 at least, or None; got {self.patience}.")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate must be above 0; got {self.learning_rate}.")
        check_sizes(self.sizes)

    def search(
        self,
        engine: Engine,
        training: SearchTask,
        held_out: SearchTask,
        *,
        progress: bool = False,
    ) -> SearchResult:
        """Chooses heads; see `HeadSearch.search`.

        Raises:
            InputError: The engine gives no gradients.
        """
        generator = torch.Generator().manual_seed(self.seed)
        logits = torch.full((engine.layout.n_heads,), self.initial_logit, requires_grad=True)
        optimizer = torch.optim.Adam([logits], lr=self.learning_rate)
        groups = training.group_rows()
        order = shuffled_passes(len(groups), self.epochs * self.examples_per_epoch, self.seed)
        epoch_losses: list[float] = []
        best = BestSoFar()
        with progress_bar("Searching heads", self.epochs, enabled=progress) as bar:
            for epoch in range(self.epochs):
                drawn = order[epoch * self.examples_per_epoch :][: self.examples_per_epoch]
                batch = training.rows([row for group in drawn for row in groups[group]])
                epoch_losses.append(self._step(engine, batch, logits, optimizer, generator))
                expected = float(torch.sigmoid(logits.detach()).sum())
                bar.advance(note=f"loss {epoch_losses[-1]:.3f}, {expected:.0f} heads")
                if self.patience is None or (epoch + 1) % self.check_every:
                    continue
                if best.has_waited(engine, held_out, epoch, logits.detach(), self.patience):
                    break
        learnt = logits.detach() if best.logits is None else best.logits
        risen = max(1, int((learnt > self.initial_logit).sum()))
        sizes = self.sizes or growing_sizes(risen)
        return best_of_ranking(engine, held_out, torch.sigmoid(learnt), sizes, epoch_losses)

    def _step(
        self,
        engine: Engine,
        batch: SearchTask,
        logits: Tensor,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> float:
        probabilities = torch.sigmoid(logits)
        drawn = torch.rand(len(batch), len(logits), generator=generator) < probabilities.detach()
        found = effects_of(engine, batch, drawn.float())
        optimizer.zero_grad()
        (probabilities * found.effects.mean(dim=0)).sum().backward()
        optimizer.step()
        return float(found.losses.mean())
