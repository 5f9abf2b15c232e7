"""What is read off the model for a reward: steered likelihoods, sparse margins, or both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from headwise.engines.base import Engine
from headwise.heads import Steerings
from headwise.methods.reward_support import Contrast
from headwise.prompts.conversation import Conversation
from headwise.selection.calibration import fit_scale

ReadoutName = Literal["steered", "sparse", "combined"]


@dataclass(frozen=True, slots=True)
class ReadoutWeights:
    """How readouts are put together: `value = sum of weight * (readout - offset)`.

    Values are log-odds: a reward of 0 is undecided, and the difference of two rewards is the
    log-odds that the first response is better.

    Args:
        sparse: Weight of the sparse margin; 0 where it is not used.
        steered: Weight of the steered log-odds; 0 where they are not used.
        sparse_offset: Subtracted from the sparse margin.
        steered_offset: Subtracted from the steered log-odds.
    """

    sparse: float
    steered: float
    sparse_offset: float = 0.0
    steered_offset: float = 0.0

    def combine(self, sparse: Tensor | None, steered: Tensor | None) -> Tensor:
        """Puts the readouts of `n` conversations together, `(n,)` float64."""
        parts = []
        if sparse is not None and self.sparse:
            parts.append(self.sparse * (sparse - self.sparse_offset))
        if steered is not None and self.steered:
            parts.append(self.steered * (steered - self.steered_offset))
        return torch.stack(parts).sum(dim=0)


def steered_log_odds(
    engine: Engine,
    conversations: Sequence[Conversation],
    answers: tuple[str, str],
    steering: Steerings,
    *,
    progress: bool = False,
) -> Tensor:
    """Log-odds of the positive answer with heads steered, `(n,)` float64.

    Args:
        engine: The frozen model.
        conversations: `n` conversations that ask for a judgement.
        answers: The positive and the negative answer.
        steering: The chosen heads, for all or one for each; None for plain token probability.
        progress: Whether to show a progress bar.

    Returns:
        `log P(positive) - log P(negative)`.
    """
    logprobs = engine.token_logprobs(conversations, answers, steering, progress=progress)
    return logprobs[:, 0] - logprobs[:, 1]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutReadout:
    """One readout's values on support examples that it was not fitted on.

    Args:
        values: `(n,)` float64, one a support row; NaN where a row was never held out.
        pairs: The comparisons of good with bad rows, made within a fold only, since readouts of
            two folds differ in scale and offset.
        labels: `(n,)` int64 right judgements.
        in_sample: True where nothing could be held out, so that the values flatter.
    """

    values: Tensor
    pairs: tuple[Contrast, ...]
    labels: Tensor
    in_sample: bool = False

    @property
    def contrasts(self) -> Tensor:
        """How much higher good rows' values are than bad ones', `(m,)` float64."""
        good = [pair.good for pair in self.pairs]
        bad = [pair.bad for pair in self.pairs]
        return self.values[good] - self.values[bad]

    @property
    def accuracy(self) -> float | None:
        """Share of held-out contrasts that are right, a tie being half; None where none is."""
        if not self.pairs or self.in_sample:
            return None
        contrasts = self.contrasts
        return float(((contrasts > 0).double() + 0.5 * (contrasts == 0).double()).mean())

    @property
    def spread(self) -> float:
        """Standard deviation of the values, by which readouts are made comparable."""
        known = self.values[~self.values.isnan()]
        return float(known.std()) if len(known) > 1 and float(known.std()) > 0 else 1.0

    @property
    def middle(self) -> float:
        """The value half-way between the mean good and the mean bad judgement."""
        known = ~self.values.isnan()
        means = [
            float(self.values[known & (self.labels == label)].mean())
            for label in (0, 1)
            if bool((known & (self.labels == label)).any())
        ]
        return sum(means) / len(means) if means else 0.0

    def among(self, pairs: Iterable[Contrast]) -> HeldOutReadout:
        """The readout with only those of its comparisons that are among some pairs."""
        wanted = set(pairs)
        return replace(self, pairs=tuple(pair for pair in sorted(self.pairs) if pair in wanted))

    def plus(self, other: HeldOutReadout) -> HeldOutReadout:
        """The sum of two readouts, each first divided by its spread."""
        both = self.among(other.pairs)
        return replace(both, values=self.values / self.spread + other.values / other.spread)

    def scale(self) -> float:
        """The factor that turns differences into log-odds of being the better one."""
        contrasts = self.contrasts
        if len(contrasts) == 0:
            return 1.0 / self.spread
        decisions = torch.stack([contrasts, torch.zeros_like(contrasts)], dim=1)
        return fit_scale(decisions, torch.zeros(len(contrasts), dtype=torch.long))

    def log_losses(self) -> Tensor:
        """Log-loss of each contrast at the best scale, `(m,)` float64; less is better."""
        return torch.nn.functional.softplus(-self.scale() * self.contrasts)

    def log_loss(self) -> float:
        """Mean log-loss of the contrasts; that of a coin where there are none."""
        return float(self.log_losses().mean()) if self.pairs else math.log(2)

    def clearly_better_than(self, other: HeldOutReadout) -> bool:
        """Whether the log-loss on the shared contrasts is lower by more than a standard error."""
        mine, theirs = self.among(other.pairs), other.among(self.pairs)
        if len(mine.pairs) < 2:
            return False
        gain = theirs.log_losses() - mine.log_losses()
        return float(gain.mean()) > float(gain.std()) / math.sqrt(len(gain))
