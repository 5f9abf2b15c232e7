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
from headwise.selection.search import SearchResult, SearchTask, shuffled_passes


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
        seed: Seed of masks and prompts.

    Raises:
        InputError: A parameter is out of range.
    """

    epochs: int = 40
    examples_per_epoch: int = 16
    learning_rate: float = 0.5
    initial_logit: float = -1.0
    sizes: tuple[int, ...] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "examples_per_epoch"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 at least; got {getattr(self, name)}.")
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
        with progress_bar("Searching heads", self.epochs, enabled=progress) as bar:
            for epoch in range(self.epochs):
                drawn = order[epoch * self.examples_per_epoch :][: self.examples_per_epoch]
                batch = training.rows([row for group in drawn for row in groups[group]])
                self._step(engine, batch, logits, optimizer, generator)
                bar.advance(note=f"{float(torch.sigmoid(logits.detach()).sum()):.0f} heads")
        learnt = logits.detach()
        risen = max(1, int((learnt > self.initial_logit).sum()))
        sizes = self.sizes or growing_sizes(risen)
        return best_of_ranking(engine, held_out, torch.sigmoid(learnt), sizes)

    def _step(
        self,
        engine: Engine,
        batch: SearchTask,
        logits: Tensor,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> None:
        probabilities = torch.sigmoid(logits)
        drawn = torch.rand(len(batch), len(logits), generator=generator) < probabilities.detach()
        effects = effects_of(engine, batch, drawn.float()).mean(dim=0)
        optimizer.zero_grad()
        (probabilities * effects).sum().backward()
        optimizer.step()
