"""Loads of a server: many clients, more than it can bear, and one that is killed under them."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from benchmarks.serve_server import ServerProcess
from headwise.client import AsyncClient

TOLERANCE = 1e-5
_TIMEOUT = 600.0
_SAMPLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be scored, and the right answers.

    Args:
        prompts: `n` prompts.
        responses: `n` responses, no two alike.
        rewards: `(n,)` what the artifact gives offline.
    """

    prompts: tuple[str, ...]
    responses: tuple[str, ...]
    rewards: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.prompts)

    def body(self, rows: Sequence[int]) -> dict[str, Any]:
        """The body of a request for some rows."""
        return {
            "items": [
                {
                    "messages": [{"role": "user", "content": self.prompts[row]}],
                    "response": self.responses[row],
                }
                for row in rows
            ]
        }


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """Many clients, each sending its next request when it has its answer.

    Args:
        requests: Requests sent.
        clients: Clients.
        items: Items in all.
        lost: Requests without an answer of 200.
        wrong: Items whose reward differs from the offline one by more than 1e-5.
        largest_difference: The largest such difference.
        scored: Items that the server's engine ran, by its own count: more would be duplicates.
        seconds: From the first request to the last answer.
        median_latency: Of a request, in seconds.
        p99_latency: Of a request, in seconds.
        resident_bytes: The server's memory in the second half, the median.
    """

    requests: int
    clients: int
    items: int
    lost: int
    wrong: int
    largest_difference: float
    scored: int
    seconds: float
    median_latency: float
    p99_latency: float
    resident_bytes: int

    @property
    def items_per_second(self) -> float:
        """The throughput."""
        return self.items / self.seconds


@dataclass(frozen=True, slots=True)
class OverloadFigures:
    """Requests that come at a fixed rate, whether or not they are answered.

    Args:
        rate: Items offered each second.
        seconds: For how long.
        requests: Requests sent.
        statuses: How often each status was answered; `"none"` where there was no answer.
        wrong: Items of answered requests that differ from the offline rewards.
        resident_bytes: The server's memory, the largest.
        is_up: Whether the server still answers afterwards.
    """

    rate: float
    seconds: float
    requests: int
    statuses: dict[str, int]
    wrong: int
    resident_bytes: int
    is_up: bool


@dataclass(frozen=True, slots=True)
class KillFigures:
    """A server that is killed under load and started again; its clients try again.

    Args:
        requests: Requests sent.
        answered_before: How many had their answer when it was killed.
        answered: How many have one in the end.
        wrong: Items that differ from the offline rewards.
    """

    requests: int
    answered_before: int
    answered: int
    wrong: int


class _Memory:
    """Samples a server's memory while it is entered."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self.samples: list[int] = []

    async def __aenter__(self) -> _Memory:
        self._task = asyncio.create_task(self._sample())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _sample(self) -> None:
        while self._server.is_up:
            self.samples.append(self._server.resident_bytes())
            await asyncio.sleep(_SAMPLE_SECONDS)


def _connections(n: int) -> httpx.Limits:
    return httpx.Limits(max_connections=n, max_keepalive_connections=n)


async def steady(
    server: ServerProcess, asked: Asked, requests: Sequence[Sequence[int]], clients: int
) -> LoadFigures:
    """Sends requests from many clients, each waiting for its answer."""
    waiting = iter(requests)
    latencies: list[float] = []
    found: dict[int, float | None] = {}
    lost = 0
    before = server.figure("headwise_items_total")

    async def be_client(client: httpx.AsyncClient) -> None:
        nonlocal lost
        for rows in waiting:
            started = time.perf_counter()
            try:
                answer = await client.post("/v1/rewards", json=asked.body(rows))
            except httpx.HTTPError:
                lost += 1
                continue
            latencies.append(time.perf_counter() - started)
            if answer.status_code != 200:
                lost += 1
                continue
            found.update(zip(rows, answer.json()["rewards"], strict=True))

    async with AsyncExitStack() as stack:
        # One connection each, as clients have; a pool of all costs the shared cores three times as
        # much a request.
        own = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=server.url, timeout=_TIMEOUT)
            )
            for _ in range(clients)
        ]
        memory = await stack.enter_async_context(_Memory(server))
        started = time.perf_counter()
        await asyncio.gather(*map(be_client, own))
        seconds = time.perf_counter() - started
    differences = _differences(asked, found)
    ordered = sorted(latencies) or [0.0]
    half = memory.samples[len(memory.samples) // 2 :] or [server.resident_bytes()]
    return LoadFigures(
        requests=len(requests),
        clients=clients,
        items=sum(map(len, requests)),
        lost=lost,
        wrong=sum(difference > TOLERANCE for difference in differences),
        largest_difference=max(differences, default=0.0),
        scored=int(server.figure("headwise_items_total") - before),
        seconds=seconds,
        median_latency=statistics.median(ordered),
        p99_latency=ordered[int(0.99 * (len(ordered) - 1))],
        resident_bytes=int(statistics.median(half)),
    )


async def overload(
    server: ServerProcess, asked: Asked, requests: Sequence[Sequence[int]], rate: float
) -> OverloadFigures:
    """Sends requests at a rate of items a second, without waiting for answers."""
    statuses: Counter[str] = Counter()
    found: dict[int, float | None] = {}

    async def send(client: httpx.AsyncClient, rows: Sequence[int]) -> None:
        try:
            answer = await client.post("/v1/rewards", json=asked.body(rows))
        except httpx.HTTPError as error:
            statuses[f"none ({type(error).__name__})"] += 1
            return
        statuses[str(answer.status_code)] += 1
        if answer.status_code == 200:
            found.update(zip(rows, answer.json()["rewards"], strict=True))

    async with (
        httpx.AsyncClient(
            base_url=server.url, timeout=_TIMEOUT, limits=_connections(1_000)
        ) as client,
        _Memory(server) as memory,
    ):
        started = time.perf_counter()
        under_way = []
        n_sent = 0
        for rows in requests:
            due = started + n_sent / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            under_way.append(asyncio.create_task(send(client, rows)))
            n_sent += len(rows)
        offered = time.perf_counter() - started
        await asyncio.gather(*under_way)
        samples = memory.samples or [server.resident_bytes()]
        is_up = server.is_up and (await client.get("/ready")).status_code == 200
    return OverloadFigures(
        rate=rate,
        seconds=offered,
        requests=len(requests),
        statuses=dict(sorted(statuses.items())),
        wrong=sum(difference > TOLERANCE for difference in _differences(asked, found)),
        resident_bytes=max(samples),
        is_up=is_up,
    )


async def killed(
    server: ServerProcess, asked: Asked, requests: Sequence[Sequence[int]], clients: int
) -> KillFigures:
    """Kills the server when a third is answered and starts it again; its clients try again."""
    waiting = iter(requests)
    found: dict[int, float | None] = {}
    n_answered = 0

    async def be_client() -> None:
        nonlocal n_answered
        async with AsyncClient(server.url, timeout=_TIMEOUT, max_retries=60) as client:
            for rows in waiting:
                values = await client.score(
                    [asked.prompts[row] for row in rows], [asked.responses[row] for row in rows]
                )
                found.update(zip(rows, values.tolist(), strict=True))
                n_answered += 1

    tasks = [asyncio.create_task(be_client()) for _ in range(clients)]
    while n_answered < len(requests) // 3:
        await asyncio.sleep(0.01)
    server.kill()
    before = n_answered
    await asyncio.to_thread(server.start)
    await asyncio.gather(*tasks)
    differences = _differences(asked, found)
    return KillFigures(
        requests=len(requests),
        answered_before=before,
        answered=n_answered,
        wrong=sum(difference > TOLERANCE for difference in differences),
    )


def _differences(asked: Asked, found: dict[int, float | None]) -> list[float]:
    return [
        float("inf") if value is None else abs(value - float(asked.rewards[row]))
        for row, value in found.items()
    ]
