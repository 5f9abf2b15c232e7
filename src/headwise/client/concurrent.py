"""`AsyncClient`: asks `headwise serve`, several requests at once."""

from __future__ import annotations

import asyncio
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
from headwise.client.connection import Address, AsyncConnection, JSONObject
from headwise.client.requests import (
    classify_body,
    generate_body,
    rerank_body,
    rewards_body,
)
from headwise.client.retries import Patience
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
from headwise.errors import InputError
from headwise.examples import ExampleLike, Prompt, Response


class AsyncClient:
    """As `Client`, with `async` methods; the chunks of one call are under way together.

    Args:
        url: Its address, such as `"http://localhost:8000"`.
        timeout: Seconds that one try may take.
        max_retries: Tries after the first; see `Client`.
        items_per_request: Items that go in one request.
        concurrency: Requests under way at a time.
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
        concurrency: int = 8,
        api_key_variable: str = "HEADWISE_API_KEY",
        transport: Any = None,
    ) -> None:
        address = Address(url, api_key_variable, Patience(timeout, max_retries))
        self._connection = AsyncConnection(address, transport)
        self._size = checked_size(items_per_request)
        if concurrency < 1:
            raise InputError(f"concurrency is 1 at least; got {concurrency}.")
        self._places = asyncio.Semaphore(concurrency)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection."""
        await self._connection.close()

    async def models(self) -> list[ServedModel]:
        """The artifacts that the server has."""
        return served_models(await self._connection.call("GET", "/v1/models"))

    async def rewards(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesBeside = None,
        *,
        criteria: str | Sequence[str] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> RemoteRewards:
        """The reward of each response, and why where one has none; see `Client.rewards`."""
        chunks = reward_chunks(prompts, responses, images, self._size)
        bodies = [rewards_body(chunk, criteria, weights) for chunk in chunks]
        answers = await self._all("/v1/rewards", bodies)
        return joined_rewards(chunks, answers, len(prompts))

    async def score(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesBeside = None,
        *,
        criteria: str | Sequence[str] | None = None,
    ) -> NDArray[np.float64]:
        """Rewards `(n,)` float64; see `Client.score`."""
        return (await self.rewards(prompts, responses, images, criteria=criteria)).values()

    async def classify(
        self, examples: Sequence[ExampleLike], *, model: str | None = None
    ) -> list[ClassProbabilities]:
        """The class of each example; see `Client.classify`."""
        chunks = example_chunks(examples, self._size)
        answers = await self._all("/classify", [classify_body(chunk, model) for chunk in chunks])
        return joined_classes(chunks, answers)

    async def rerank(
        self, query: str, documents: Sequence[str], *, model: str | None = None, top_n: int = 0
    ) -> list[RankedDocument]:
        """Documents from best to worst; see `Client.rerank`."""
        body = rerank_body(query, documents, model, top_n)
        return ranking(await self._connection.call("POST", "/rerank", body))

    async def generate(
        self,
        inputs: Sequence[ExampleLike],
        *,
        model: str | None = None,
        **sampling: float | int | Sequence[str],
    ) -> GeneratedTexts:
        """A task vector's answers; see `Client.generate`."""
        size = max(len(inputs), 1) if sampling.get("temperature") else self._size
        chunks = example_chunks(inputs, size)
        bodies = [generate_body(chunk, model, sampling) for chunk in chunks]
        return joined_texts(chunks, await self._all("/generate", bodies), len(inputs))

    async def _all(self, path: str, bodies: Sequence[JSONObject]) -> list[JSONObject]:
        async def one(body: JSONObject) -> JSONObject:
            async with self._places:
                return await self._connection.call("POST", path, body)

        return list(await asyncio.gather(*(one(body) for body in bodies)))
