"""A served shelf of artifacts on the tiny model, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.testclient import TestClient

from headwise.engines.base import Engine
from headwise.server.app import Operation, make_app
from headwise.server.shelf import ArtifactPath, load_shelf


@contextmanager
def served(
    engine: Engine, *folders: Path | str, operation: Operation | None = None
) -> Iterator[TestClient]:
    """A client of a server that has the artifacts of some folders."""
    paths = [ArtifactPath.read(str(folder)) for folder in folders]
    app = make_app(load_shelf(paths, engine), operation)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
