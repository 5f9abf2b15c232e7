"""The application: routes, the queue, and errors as JSON."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from headwise import __version__
from headwise.server.batcher import Batcher
from headwise.server.desk import Desk
from headwise.server.gate import Gate
from headwise.server.keys import Keys
from headwise.server.metrics import Metrics
from headwise.server.pictures import PictureGate
from headwise.server.reading import Reader
from headwise.server.refusals import RefusalError, error_response, from_validation
from headwise.server.routes import classify, generate, openrlhf, ranking, rewards, system
from headwise.server.settings import BatchSettings, RequestLimits
from headwise.server.shelf import Shelf

_DESCRIPTION = (
    "Few-shot classifiers, reward models and task vectors on one frozen model. An error is "
    '`{"error": {"message", "type", "field", "code"}}`; 4xx are final but 429, which may be sent '
    "again after Retry-After, as may 503 and 504."
)


@dataclass(frozen=True, slots=True)
class Operation:
    """How an operator runs the server.

    Args:
        batching: How items are put together.
        limits: What one request may ask for.
        keys: The keys that are valid.
        image_prefixes: Folders and addresses whose pictures a request may name.
        log_contents: Whether the beginnings of bodies are logged.
    """

    batching: BatchSettings = field(default_factory=BatchSettings)
    limits: RequestLimits = field(default_factory=RequestLimits)
    keys: Keys = field(default_factory=Keys)
    image_prefixes: Sequence[str] = ()
    log_contents: bool = False


def make_app(shelf: Shelf, operation: Operation | None = None) -> FastAPI:
    """The application that serves artifacts.

    Args:
        shelf: The artifacts.
        operation: How it is run.

    Returns:
        An ASGI application; its queue runs while its lifespan does.

    Raises:
        InputError: A setting is none.
    """
    chosen = operation or Operation()
    metrics = Metrics()
    batcher = Batcher(chosen.batching, metrics.ran)
    metrics.watch_queue(batcher)
    pictures = PictureGate.allowing(chosen.limits, chosen.image_prefixes)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        batcher.start()
        try:
            yield
        finally:
            batcher.stop(chosen.limits.deadline)

    app = FastAPI(
        title="headwise",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.desk = Desk.of(shelf, batcher, Reader(chosen.limits, pictures))
    app.state.metrics = metrics
    app.state.started = int(time.time())
    for routes in (rewards, openrlhf, classify, ranking, generate, system):
        app.include_router(routes.router)
    app.add_exception_handler(RefusalError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    _put_behind_gate(app, chosen, metrics)
    return app


def _put_behind_gate(app: FastAPI, operation: Operation, metrics: Metrics) -> None:
    """Puts the gate outside of everything, where even a failure of the framework passes it."""
    inside = app.build_middleware_stack()
    gate = Gate(inside, operation.keys, operation.limits, metrics, operation.log_contents)
    app.state.gate = gate
    app.middleware_stack = gate


async def _refused(_: Request, error: Exception) -> Response:
    return error_response(cast("RefusalError", error))


async def _malformed(_: Request, error: Exception) -> Response:
    return error_response(from_validation(cast("RequestValidationError", error).errors()))


async def _http(_: Request, error: Exception) -> Response:
    found = cast("HTTPException", error)
    if found.status_code == 400:
        message = "body: it is no JSON in UTF-8, or is nested too deep."
        return error_response(RefusalError(400, message, "body"))
    response = error_response(RefusalError(found.status_code, str(found.detail)))
    for name, value in (found.headers or {}).items():
        response.headers[name] = value
    return response
