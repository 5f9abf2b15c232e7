"""REINFORCE that starts from what one backward pass an example tells."""

from __future__ import annotations

from dataclasses import dataclass, field

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.selection.attribution import effects_of
from headwise.selection.reinforce import Reinforce
from headwise.selection.search import SearchResult, SearchTask


def _short(seed: int = 0) -> Reinforce:
    return Reinforce(epochs=60, baseline="leave_one_out", antithetic=True, seed=seed)


@dataclass(frozen=True, slots=True)
class AttributionThenReinforce:
    """Few epochs of REINFORCE whose logits begin at the heads' first-order effects.

    Args:
        reinforce: The search that follows; its `initial_logit` is the middle of the logits.
        spread: Standard deviation of the logits at the start.

    Raises:
        InputError: The spread is negative.
    """

    reinforce: Reinforce = field(default_factory=_short)
    spread: float = 1.0

    def __post_init__(self) -> None:
        if not self.spread >= 0:
            raise InputError(f"spread is 0 at least; got {self.spread}.")

    @classmethod
    def seeded(cls, seed: int) -> AttributionThenReinforce:
        """The defaults with another seed."""
        return cls(_short(seed))

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
        logits = self.reinforce.initial_logit - self.spread * effects / (effects.std() + 1e-12)
        return self.reinforce.search_from(logits, engine, training, held_out, progress=progress)
