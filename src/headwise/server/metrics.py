"""Figures for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from headwise.server.batcher import Batcher, Ran

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The figures of one server."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        kept = self._registry
        self._requests = Counter(
            "headwise_requests", "Requests answered.", ["route", "status"], registry=kept
        )
        self._seconds = Histogram(
            "headwise_request_seconds",
            "From a request to its answer.",
            ["route"],
            registry=kept,
            buckets=_SECONDS,
        )
        self._items = Counter(
            "headwise_items", "Items that ran.", ["artifact", "outcome"], registry=kept
        )
        self._calls = Histogram(
            "headwise_batch_items", "Items of a call.", ["artifact"], registry=kept, buckets=_SIZES
        )
        self._tokens = Counter(
            "headwise_tokens", "Tokens that ran, roughly.", ["artifact"], registry=kept
        )
        self._engine = Histogram(
            "headwise_engine_seconds",
            "Of a call of the engine.",
            ["artifact"],
            registry=kept,
            buckets=_SECONDS,
        )

    def watch_queue(self, batcher: Batcher) -> None:
        """Shows how much waits in a queue."""
        items = Gauge("headwise_queue_items", "Items that wait.", registry=self._registry)
        tokens = Gauge("headwise_queue_tokens", "Tokens that wait.", registry=self._registry)
        items.set_function(lambda: batcher.waiting_items)
        tokens.set_function(lambda: batcher.waiting_tokens)

    def ran(self, call: Ran) -> None:
        """Counts a call of the engine."""
        name = getattr(getattr(call.runner, "served", None), "name", "")
        self._items.labels(name, "answered").inc(call.items - call.failed)
        self._items.labels(name, "failed").inc(call.failed)
        self._calls.labels(name).observe(call.items)
        self._tokens.labels(name).inc(call.tokens)
        self._engine.labels(name).observe(call.seconds)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Counts a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)
