"""Heads by their first-order effect: one backward pass an example instead of many masks."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from headwise.engines.base import Engine, GradientEngine, HeadEffects
from headwise.errors import InputError
from headwise.selection.ranking import best_of_ranking, check_sizes, growing_sizes
from headwise.selection.search import SearchResult, SearchTask


@dataclass(frozen=True, slots=True)
class Attribution:
    """Takes the heads whose replacement lowers the loss most, to first order.

    The effect of a head is the derivative of the loss by how far the head is replaced, the mean
    over all training prompts. Heads are ranked by it, and how many are taken is what has the lowest
    loss on held-out prompts. There is no chance in it.

    Args:
        sizes: Numbers of heads to try; None for a grid over the heads whose effect is good.

    Raises:
        InputError: A number is below 1.

    Source: attribution patching (Nanda, 2023) on the masks of MTV, arXiv:2406.15334.
    """

    sizes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
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
        effects = effects_of(engine, training, progress=progress).effects.mean(dim=0)
        sizes = self.sizes or growing_sizes(max(1, int((effects < 0).sum())))
        return best_of_ranking(engine, held_out, -effects, sizes)


def effects_of(
    engine: Engine, task: SearchTask, strengths: Tensor | None = None, *, progress: bool = False
) -> HeadEffects:
    """The first-order effects of every head on a task; see `GradientEngine`.

    Args:
        engine: The frozen model.
        task: The prompts.
        strengths: Where the derivative is taken, `(H,)` or `(n, H)`; 0 where None.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The effects on each prompt, and the losses.

    Raises:
        InputError: The engine gives no gradients.
    """
    if not isinstance(engine, GradientEngine):
        raise InputError(
            f"{type(engine).__name__} gives no gradients, which this head search needs. Use an "
            "engine with head_effects (the transformers engine), or Reinforce."
        )
    return engine.head_effects(
        task.conversations,
        task.targets,
        task.vectors,
        strengths,
        target_tokens=task.target_tokens,
        among=task.among,
        progress=progress,
    )
