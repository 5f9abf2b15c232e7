"""Routes about the server itself."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from headwise import __version__
from headwise.server.metrics import Metrics
from headwise.server.refusals import AsciiResponse
from headwise.server.routes.described import REFUSALS, desk_of

router = APIRouter()


@router.get("/health", summary="Whether the server is alive")
async def health(request: Request) -> AsciiResponse:
    """200 while the thread that owns the engine runs; 503 where it does not."""
    is_alive = desk_of(request).batcher.is_alive
    status = "ok" if is_alive else "the engine's thread has ended"
    return AsciiResponse({"status": status}, 200 if is_alive else 503)


@router.get("/ready", summary="Whether the server takes requests")
async def ready(request: Request) -> AsciiResponse:
    """200 while requests are taken; 503 while the server shuts down."""
    is_ready = desk_of(request).batcher.is_alive and not request.app.state.gate.is_draining
    return AsciiResponse({"ready": is_ready}, 200 if is_ready else 503)


@router.get("/version", responses={401: REFUSALS[401]}, summary="The version of headwise")
async def version() -> AsciiResponse:
    """The version."""
    return AsciiResponse({"version": __version__})


@router.get("/v1/models", responses={401: REFUSALS[401]}, summary="The artifacts that are served")
async def models(request: Request) -> AsciiResponse:
    """The artifacts, in the shape of OpenAI's list of models."""
    shelf = desk_of(request).shelf
    return AsciiResponse(
        {
            "object": "list",
            "data": [
                {
                    "id": one.name,
                    "object": "model",
                    "created": request.app.state.started,
                    "owned_by": "headwise",
                    "root": shelf.model_id,
                    "headwise": {"kind": one.kind, "method": one.model.method, **one.facts()},
                }
                for one in shelf.artifacts
            ],
        }
    )


@router.get("/metrics", responses={401: REFUSALS[401]}, summary="Figures for Prometheus")
async def metrics(request: Request) -> Response:
    """Figures in Prometheus' text format."""
    kept: Metrics = request.app.state.metrics
    return Response(kept.text(), media_type=kept.content_type)
