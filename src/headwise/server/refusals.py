"""Why a request has no answer: an HTTP status, and words that name the field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from headwise.errors import HeadwiseError, InputError

_MOST_PROBLEMS = 3
_MOST_CHARACTERS = 200
# What follows from a wrong guess of the form of a union says nothing to a user.
_NAMES = {400: "bad_request", 401: "unauthorized", 404: "not_found", 408: "timeout"}
_NAMES |= {413: "too_large", 422: "invalid_request", 429: "overloaded", 499: "disconnected"}
_NAMES |= {500: "internal_error", 503: "unavailable", 504: "deadline_exceeded"}


class RefusalError(HeadwiseError):
    """A request that is refused.

    Args:
        status: The HTTP status.
        message: Why, and what to do.
        field: The field of the request that is wrong; None where none is.
        retry_after: Seconds after which it may be sent again; None where that is of no use.
    """

    def __init__(
        self, status: int, message: str, field: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field
        self.retry_after = retry_after


class OverloadError(RefusalError):
    """The queue is full."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            429, "The server is busy: its queue is full. Send it again later.", None, retry_after
        )


class StoppingError(RefusalError):
    """The server is shutting down."""

    def __init__(self) -> None:
        super().__init__(503, "The server is shutting down.", None, 5.0)


class DeadlineError(RefusalError):
    """An answer would come too late."""

    def __init__(self, seconds: float) -> None:
        super().__init__(504, f"There was no answer within the deadline of {seconds:g} s.")


class AsciiResponse(Response):
    """JSON in ASCII, which can say any text, even one that is no valid Unicode."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body. NaN and infinity are no JSON and raise a `ValueError`."""
        return json.dumps(content, allow_nan=False).encode("ascii")


def error_body(status: int, message: str, field: str | None = None) -> dict[str, Any]:
    """The body of a refusal."""
    kind = _NAMES.get(status, "error")
    return {"error": {"message": message, "type": kind, "field": field, "code": status}}


def error_response(refusal: RefusalError) -> AsciiResponse:
    """A refusal as a response."""
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(refusal.retry_after)))
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.status == 503:
        headers["Connection"] = "close"
    body = error_body(refusal.status, refusal.message, refusal.field)
    return AsciiResponse(body, refusal.status, headers)


def from_validation(problems: Sequence[Mapping[str, Any]], whole: str = "body") -> RefusalError:
    """The refusal of a malformed request; it repeats nothing of what was sent but names of fields.

    Args:
        problems: What pydantic found, each with `loc` and `msg`.
        whole: What is called wrong where it is no field alone.

    Returns:
        A refusal with status 422.
    """
    told = []
    first: str | None = None
    for problem in problems[:_MOST_PROBLEMS]:
        # Where in the text JSON ends to be JSON is no field.
        places = () if problem.get("type") == "json_invalid" else problem["loc"]
        field = field_name(places, whole)
        first = first or field
        told.append(f"{field}: {problem['msg']}")
    if len(problems) > _MOST_PROBLEMS:
        told.append(f"and {len(problems) - _MOST_PROBLEMS} more")
    return RefusalError(422, "; ".join(told), first)


def described(error: ValidationError) -> str:
    """What pydantic found wrong with one item, in words."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return from_validation([dict(problem) for problem in problems], "item").message


def field_name(places: Iterable[object], whole: str = "body") -> str:
    """A place in a body, such as `items.0.response`."""
    parts = [str(place) for place in places]
    parts = parts[1:] if parts[:1] == ["body"] else parts
    name = ".".join(parts) or whole
    shown = name.encode("ascii", "backslashreplace").decode("ascii")
    shown = "".join(c if c.isprintable() else "?" for c in shown)
    return shown if len(shown) <= _MOST_CHARACTERS else shown[:_MOST_CHARACTERS] + "..."


def told(error: BaseException) -> str:
    """What a client is told of an item that failed; nothing of the server's inside."""
    if isinstance(error, HeadwiseError):
        return str(error)
    return "The server failed on this item; its log says why."


def is_clients_fault(error: BaseException) -> bool:
    """Whether sending the same again would fail again because of what was sent."""
    return isinstance(error, InputError)
