"""The bodies of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headwise.client.wire import Chunk


def rewards_body(
    chunk: Chunk, criteria: str | Sequence[str] | None, weights: Mapping[str, float] | None
) -> dict[str, Any]:
    """The body of `/v1/rewards`."""
    body: dict[str, Any] = {"items": list(chunk.items)}
    if isinstance(criteria, str):
        body["model"] = criteria
    elif criteria is not None:
        body["criteria"] = list(criteria)
    if weights is not None:
        body["weights"] = dict(weights)
    return body


def classify_body(chunk: Chunk, model: str | None) -> dict[str, Any]:
    """The body of `/classify`; plain texts go as vLLM takes them."""
    return {"input": [_plain(item) for item in chunk.items], **_named(model)}


def rerank_body(
    query: str, documents: Sequence[str], model: str | None, top_n: int
) -> dict[str, Any]:
    """The body of `/rerank`."""
    return {"query": query, "documents": list(documents), "top_n": top_n, **_named(model)}


def generate_body(
    chunk: Chunk, model: str | None, sampling: Mapping[str, float | int | Sequence[str]]
) -> dict[str, Any]:
    """The body of `/generate`."""
    return {"inputs": [_plain(item) for item in chunk.items], **_named(model), **sampling}


def _plain(item: Mapping[str, Any]) -> Any:
    return item["text"] if set(item) == {"text"} else item


def _named(model: str | None) -> dict[str, Any]:
    return {} if model is None else {"model": model}
