"""What every request passes: a log line and a count, the keys, and limits before it is read."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwise.server.keys import Keys
from headwise.server.logs import LOGGER
from headwise.server.metrics import Metrics
from headwise.server.refusals import OverloadError, RefusalError, StoppingError, error_response
from headwise.server.settings import RequestLimits

log = logging.getLogger(LOGGER)

OPEN_PATHS = ("/health", "/ready", "/docs", "/openapi.json")
"""What needs no key, and is answered whatever the load: probes, and the description."""

_LOGGED_BYTES = 2_000
# Who needs no key to be answered has nothing to send.
_OPEN_BYTES = 4_096
# Of all requests under way; one of the largest size is always taken.
_HELD_BYTES = 2**30


class Gate:
    """The outermost layer of the application.

    Args:
        app: What is inside.
        keys: The keys that are valid.
        limits: What one request may ask for.
        metrics: Where requests are counted.
        log_contents: Whether the beginnings of bodies are logged.
    """

    def __init__(
        self, app: ASGIApp, keys: Keys, limits: RequestLimits, metrics: Metrics, log_contents: bool
    ) -> None:
        self._app = app
        self._keys = keys
        self._limits = limits
        self._metrics = metrics
        self._log_contents = log_contents
        self.is_draining = False
        self.under_way = 0
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = _Passage(scope, send)
        is_open = scope["path"] in OPEN_PATHS
        self.under_way += not is_open
        try:
            if not is_open:
                self._check(scope)
            body = await self._body(scope, receive, passage, is_open)
            if self._log_contents:
                passage.contents = body[:_LOGGED_BYTES].decode("utf-8", "replace")
            await self._app(scope, _replayed(body, receive), passage.send)
        except RefusalError as refusal:
            await passage.answer(refusal, scope, receive)
        except Exception:
            log.exception("request failed", extra={"facts": {"id": passage.id}})
            await passage.answer(
                RefusalError(500, "The server failed; its log says why."), scope, receive
            )
        finally:
            self.under_way -= not is_open
            self._held_bytes -= passage.n_bytes
            self._told(passage, scope)

    def _check(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        if self._keys.are_needed and not self._keys.accept(headers.get(b"authorization", b"")):
            raise RefusalError(401, "Send a valid API key: Authorization: Bearer KEY.")
        if self.is_draining:
            raise StoppingError
        if self.under_way > self._limits.requests:
            raise OverloadError(1.0)
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"identity", b""):
            raise RefusalError(415, "body: send it uncompressed.", "body")

    async def _body(
        self, scope: Scope, receive: Receive, passage: _Passage, is_open: bool
    ) -> bytes:
        """The whole body, so that the application never waits for a slow client."""
        limit = min(self._limits.body_bytes, _OPEN_BYTES) if is_open else self._limits.body_bytes
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
            raise _too_large(limit)
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RefusalError(499, "The client left before the end of its request.")
                    piece = message.get("body", b"")
                    body += piece
                    passage.n_bytes += len(piece)
                    self._held_bytes += len(piece)
                    if len(body) > limit:
                        raise _too_large(limit)
                    if self._held_bytes > max(_HELD_BYTES, limit):
                        raise OverloadError(1.0)
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError as error:
            raise RefusalError(
                408, f"body: it did not come within {self._limits.body_seconds:g} s.", "body"
            ) from error

    def _told(self, passage: _Passage, scope: Scope) -> None:
        seconds = time.perf_counter() - passage.started
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.answered(route, passage.status, seconds)
        facts: dict[str, Any] = {
            "event": "request",
            "id": passage.id,
            "method": scope["method"],
            "route": route,
            "status": passage.status,
            "seconds": round(seconds, 4),
            "bytes": passage.n_bytes,
        }
        if passage.contents is not None:
            facts["contents"] = passage.contents
        log.info("request", extra={"facts": facts})


class _Passage:
    """One request on its way through, and what became of it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.id = uuid.uuid4().hex[:16]
        self.started = time.perf_counter()
        self.status = 499
        self.n_bytes = 0
        self.contents: str | None = None
        self._send = send
        self._has_begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._has_begun = True
            self.status = message["status"]
            headers = [*message.get("headers", []), (b"x-request-id", self.id.encode())]
            message = {**message, "headers": headers}
        await self._send(message)

    async def answer(self, refusal: RefusalError, scope: Scope, receive: Receive) -> None:
        self.status = refusal.status
        if not self._has_begun and refusal.status != 499:
            await error_response(refusal)(scope, receive, self.send)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body once more, then whatever comes after it: the client's leaving."""
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _too_large(limit: int) -> RefusalError:
    return RefusalError(413, f"body: it is larger than {limit:,} bytes; send less at once.", "body")
