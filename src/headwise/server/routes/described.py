"""What routes have alike: the desk, and what the description says of refusals."""

from __future__ import annotations

import time
import uuid
from typing import Any, cast

from fastapi import Request
from pydantic import BaseModel

from headwise.server.desk import Desk


class Told(BaseModel):
    """Why a request was refused.

    Args:
        message: Words that name the field.
        type: The kind of refusal.
        field: The field of the request that is wrong.
        code: The HTTP status.
    """

    message: str
    type: str
    field: str | None
    code: int


class ErrorBody(BaseModel):
    """The body of a refusal."""

    error: Told


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": words}
    for status, words in {
        400: "The body is no JSON in UTF-8, or is nested too deep.",
        401: "There is no valid API key.",
        404: "There is no such artifact.",
        408: "The body took too long to come.",
        413: "The body, or the number of items, is too large.",
        415: "The body is compressed.",
        422: "A field is wrong; the message names it.",
        429: "The queue is full; Retry-After says when to come again.",
        500: "The server failed.",
        503: "The server is shutting down.",
        504: "There was no answer within the deadline.",
    }.items()
}


def desk_of(request: Request) -> Desk:
    """The desk of the application that a request came to."""
    return cast("Desk", request.app.state.desk)


def envelope(kind: str, name: str) -> dict[str, Any]:
    """What vLLM's answers begin with; tokens are not counted, so the usage is null."""
    return {
        "id": f"{kind}-{uuid.uuid4().hex}",
        "object": "list",
        "created": int(time.time()),
        "model": name,
        "usage": None,
    }
