"""`Client`: asks `headwise serve`, and waits for the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from headwise.client.answers import (
    ClassProbabilities,
    GeneratedTexts,
    RankedDocument,
    RemoteRewards,
    ServedModel,
)
from headwise.client.connection import Address, Connection
from headwise.client.requests import (
    classify_body,
    generate_body,
    rerank_body,
    rewards_body,
)
from headwise.client.retries import Patience
from headwise.client.reward_function import RemoteReward
from headwise.client.wire import (
    ImagesBeside,
    checked_size,
    example_chunks,
    joined_classes,
    joined_rewards,
    joined_texts,
    ranking,
    reward_chunks,
    served_models,
)
from headwise.examples import ExampleLike, Prompt, Response


class Client:
    """Asks a server that runs `headwise serve`.

    Args:
        url: Its address, such as `"http://localhost:8000"`.
        timeout: Seconds that one try may take.
        max_retries: Tries after the first, where the server is busy (429), is starting or stopping
            (502, 503, 504) or cannot be reached.
        items_per_request: Items that go in one request.
        api_key_variable: The environment variable that holds the key.
        transport: What carries requests (httpx's own kind); the network where None.

    Raises:
        MissingExtraError: httpx is not installed.
        InputError: The address is none, or a number is out of range.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 120.0,
        max_retries: int = 5,
        items_per_request: int = 64,
        api_key_variable: str = "HEADWISE_API_KEY",
        transport: Any = None,
    ) -> None:
        self._address = Address(url, api_key_variable, Patience(timeout, max_retries))
        self._connection = Connection(self._address, transport)
        self._size = checked_size(items_per_request)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def models(self) -> list[ServedModel]:
        """The artifacts that the server has."""
        return served_models(self._connection.call("GET", "/v1/models"))

    def rewards(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesBeside = None,
        *,
        criteria: str | Sequence[str] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> RemoteRewards:
        """The reward of each response, and why where one has none.

        Args:
            prompts: `n` prompts, strings or chat messages.
            responses: `n` responses.
            images: `n` lists of pictures that the prompts show beside their text.
            criteria: Name of the reward artifact, or several; the only one where None.
            weights: What each criterion counts in the sum; 1 where it is not named.

        Returns:
            The rewards, in the order given.

        Raises:
            InputError: The server refuses the request; says why.
            EngineError: It cannot be reached, or has no answer after every try.
        """
        chunks = reward_chunks(prompts, responses, images, self._size)
        answers = [
            self._connection.call("POST", "/v1/rewards", rewards_body(chunk, criteria, weights))
            for chunk in chunks
        ]
        return joined_rewards(chunks, answers, len(prompts))

    def score(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesBeside = None,
        *,
        criteria: str | Sequence[str] | None = None,
    ) -> NDArray[np.float64]:
        """Rewards `(n,)` float64, as `RewardModel.score` gives them; see `rewards`.

        Raises:
            InputError: A response could not be scored; says which and why.
        """
        return self.rewards(prompts, responses, images, criteria=criteria).values()

    def classify(
        self, examples: Sequence[ExampleLike], *, model: str | None = None
    ) -> list[ClassProbabilities]:
        """The class of each example.

        Args:
            examples: `n` examples, texts or pictures.
            model: Name of the classifier; the only one where None.

        Returns:
            `n` classes with their probabilities.
        """
        chunks = example_chunks(examples, self._size)
        answers = [
            self._connection.call("POST", "/classify", classify_body(chunk, model))
            for chunk in chunks
        ]
        return joined_classes(chunks, answers)

    def rerank(
        self, query: str, documents: Sequence[str], *, model: str | None = None, top_n: int = 0
    ) -> list[RankedDocument]:
        """Documents from best to worst.

        Args:
            query: What they answer.
            documents: `n` texts.
            model: Name of the reward artifact; the only one where None.
            top_n: How many to give; all where 0.

        Returns:
            The best documents, best first.
        """
        body = rerank_body(query, documents, model, top_n)
        return ranking(self._connection.call("POST", "/rerank", body))

    def generate(
        self,
        inputs: Sequence[ExampleLike],
        *,
        model: str | None = None,
        **sampling: float | int | Sequence[str],
    ) -> GeneratedTexts:
        """A task vector's answers.

        Args:
            inputs: `n` examples, texts or pictures.
            model: Name of the task vector; the only one where None.
            sampling: `max_new_tokens`, `temperature`, `top_p`, `seed`, `stop`; the task vector's
                own where left out.

        Returns:
            `n` answers.
        """
        # With a temperature, what is drawn depends on what else is in the request.
        size = max(len(inputs), 1) if sampling.get("temperature") else self._size
        chunks = example_chunks(inputs, size)
        answers = [
            self._connection.call("POST", "/generate", generate_body(chunk, model, sampling))
            for chunk in chunks
        ]
        return joined_texts(chunks, answers, len(inputs))

    def reward_function(self, criterion: str | None = None) -> RemoteReward:
        """A reward for a trainer of TRL, to be called in any process; see `RemoteReward`."""
        return RemoteReward(self._address, criterion, items_per_request=self._size)
