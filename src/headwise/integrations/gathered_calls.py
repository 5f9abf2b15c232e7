"""Single responses from many threads, gathered into few calls of the model.

Trainers that score each rollout as it ends call from threads, one response at a time. What arrives
while the model is busy is scored together next, so that prompts of a group are read once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from headwise.content import Image
from headwise.errors import HeadwiseError, InputError
from headwise.examples import Prompt, Response
from headwise.methods.reward_details import CriteriaDetails, RewardDetails
from headwise.methods.reward_model import RewardModel
from headwise.methods.rewards import Rewards

_MOST_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class ScoredResponse:
    """The reward of one response.

    Args:
        reward: The reward, finite.
        parts: Each criterion's reward, or each readout's margin, by name.
        truncated: Whether the response or its prompt was too long and was cut.
    """

    reward: float
    parts: Mapping[str, float]
    truncated: bool


@dataclass(eq=False)
class _Ticket:
    prompt: Prompt
    response: Response
    images: Sequence[Image]
    result: ScoredResponse | None = None
    error: HeadwiseError | None = None

    @property
    def is_done(self) -> bool:
        return self.result is not None or self.error is not None


@dataclass(eq=False)
class GatheredReward:
    """A reward that many threads may ask at once.

    Args:
        reward: The reward; of the scalar form, since each response comes alone.

    Raises:
        InputError: The reward compares responses with each other.
    """

    reward: RewardModel | Rewards
    _waiting: deque[_Ticket] = field(default_factory=deque, init=False, repr=False)
    _engine_lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        given = self.reward
        models = list(given.criteria.values()) if isinstance(given, Rewards) else [given]
        if any(model.form != "scalar" for model in models):
            raise InputError(
                "This trainer hands over one response at a time, but a reward model of the ranked "
                "form compares responses. Fit one with form='scalar' (--form scalar)."
            )

    def score_one(
        self, prompt: Prompt, response: Response, images: Sequence[Image] = ()
    ) -> ScoredResponse:
        """The reward of one response; waits for its turn.

        Args:
            prompt: The prompt.
            response: The response.
            images: Pictures that the prompt shows beside its text.

        Returns:
            The reward.

        Raises:
            InputError: The prompt is malformed, or a picture cannot be read.
            HeadwiseError: The model made NaN or infinity of it.
        """
        return self.score_many([prompt], [response], [images])[0]

    def score_many(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: Sequence[Sequence[Image]] | None = None,
    ) -> list[ScoredResponse]:
        """The rewards of some responses; waits for their turn.

        Args:
            prompts: `n` prompts.
            responses: `n` responses.
            images: `n` lists of pictures that the prompts show beside their text.

        Returns:
            `n` rewards.

        Raises:
            InputError: A prompt is malformed, or a picture cannot be read.
            HeadwiseError: The model made NaN or infinity of a response.
        """
        beside: Sequence[Sequence[Image]] = [()] * len(prompts) if images is None else images
        tickets = [
            _Ticket(prompt, response, shown)
            for prompt, response, shown in zip(prompts, responses, beside, strict=True)
        ]
        self._waiting.extend(tickets)
        with self._engine_lock:
            while not all(ticket.is_done for ticket in tickets):
                count = min(len(self._waiting), _MOST_TOGETHER)
                self._score([self._waiting.popleft() for _ in range(count)])
        for ticket in tickets:
            if ticket.error is not None:
                raise ticket.error
        return [ticket.result for ticket in tickets if ticket.result is not None]

    def _score(self, tickets: Sequence[_Ticket]) -> None:
        try:
            details = self.reward.score_each(
                [one.prompt for one in tickets],
                [one.response for one in tickets],
                [one.images for one in tickets],
            )
        except HeadwiseError as error:
            if len(tickets) > 1:
                # One bad row must not cost the others theirs.
                for ticket in tickets:
                    self._score([ticket])
            else:
                tickets[0].error = error
            return
        except BaseException as error:
            # Whoever waits for these must not wait for ever.
            for ticket in tickets:
                ticket.error = HeadwiseError(f"Scoring failed: {type(error).__name__}: {error}")
            raise
        for row, ticket in enumerate(tickets):
            _settle(ticket, details, row)


def _settle(ticket: _Ticket, details: RewardDetails | CriteriaDetails, row: int) -> None:
    reward = float(details.rewards[row])
    if not np.isfinite(reward):
        ticket.error = HeadwiseError(
            f"The reward is {reward}, which no trainer can use. Load the reward's model in float32."
        )
        return
    ticket.result = ScoredResponse(reward, _parts(details, row), bool(details.truncated[row]))


def _parts(details: RewardDetails | CriteriaDetails, row: int) -> dict[str, float]:
    if isinstance(details, CriteriaDetails):
        return {name: float(one.rewards[row]) for name, one in details.criteria.items()}
    margins = {"steered_margin": details.steered, "sparse_margin": details.sparse}
    return {name: float(values[row]) for name, values in margins.items() if values is not None}
