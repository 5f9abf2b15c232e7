"""`RemoteReward`: a served reward model as a reward function of a trainer, in any process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headwise.client.connection import Address, Connection
from headwise.client.requests import rewards_body
from headwise.client.wire import joined_rewards, reward_chunks
from headwise.methods.trainer_chats import trainer_prompt, trainer_response


@dataclass(frozen=True, slots=True)
class RemoteReward:
    """A reward function for TRL's `GRPOTrainer` and `RLOOTrainer` that asks a server.

    It is a plain value that can be pickled: it holds the server's address and the name of the
    variable with the key, no connection and no key. So it goes where a model cannot, such as the
    reward process of TRL's asynchronous GRPO.

    Args:
        address: The server.
        criterion: Name of the reward artifact there; the only one where None.
        name: What the trainer's log calls it; the criterion where None.
        items_per_request: Responses that go in one request.
    """

    address: Address
    criterion: str | None = None
    name: str | None = None
    items_per_request: int = 64

    @property
    def __name__(self) -> str:
        """What TRL calls it in its metrics."""
        return self.name or self.criterion or "headwise_reward"

    def __call__(
        self,
        prompts: Sequence[object],
        completions: Sequence[object],
        *,
        log_metric: Callable[[str, float], object] | None = None,
        **columns: object,
    ) -> list[float | None]:
        """The rewards of completions, as a trainer asks for them.

        Args:
            prompts: `n` prompts, strings or chat messages with their pictures in them.
            completions: `n` completions, texts or lists of chat messages; read as the reward in
                the trainer's own process reads them.
            log_metric: TRL's way to log a figure; given the share of completions not scored.
            columns: What else the trainer sends: the data set's columns, token ids, its state.
                A prompt shows its pictures itself, so the column of images is not read either.

        Returns:
            `n` rewards; None, which TRL leaves out, where a completion cannot be scored.

        Raises:
            EngineError: The server cannot be reached, or has no answer after every try.
        """
        chunks = reward_chunks(
            [trainer_prompt(prompt) for prompt in prompts],
            [trainer_response(completion) for completion in completions],
            None,
            self.items_per_request,
        )
        connection = Connection(self.address)
        try:
            answers = [
                connection.call("POST", "/v1/rewards", rewards_body(chunk, self.criterion, None))
                for chunk in chunks
            ]
        finally:
            connection.close()
        found = joined_rewards(chunks, answers, len(prompts))
        if found.errors:
            first = found.errors[0]
            warnings.warn(
                f"{len(found.errors)} of {len(prompts)} completions have no reward; the first is "
                f"number {first.index}: {first.message}",
                stacklevel=2,
            )
        if log_metric is not None and prompts:
            log_metric(f"{self.__name__}/unscored", len(found.errors) / len(prompts))
        return list(found.rewards)
