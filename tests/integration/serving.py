"""A served shelf of artifacts on the tiny model, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.testclient import TestClient

from headwise.engines.base import Engine
from headwise.server.app import Operation, make_app
from headwise.server.shelf import ArtifactPath, load_shelf


class HeldEngine:
    """An engine whose `capture` waits until it is let go."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.open = threading.Event()
        self.begun = threading.Event()
        self.n_conversations = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def capture(self, conversations: Any, **options: Any) -> Any:
        self.begun.set()
        assert self.open.wait(30)
        self.n_conversations += len(conversations)
        return self._engine.capture(conversations, **options)


@contextmanager
def served(
    engine: Any, *folders: Path | str, operation: Operation | None = None
) -> Iterator[TestClient]:
    """A client of a server that has the artifacts of some folders."""
    paths = [ArtifactPath.read(str(folder)) for folder in folders]
    app = make_app(load_shelf(paths, engine), operation)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@contextmanager
def listening(
    engine: Any, *folders: Path | str, operation: Operation | None = None
) -> Iterator[str]:
    """The address of a server that has the artifacts of some folders, at a port of this machine."""
    paths = [ArtifactPath.read(str(folder)) for folder in folders]
    app = make_app(load_shelf(paths, engine), operation)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


def item(response: Any, question: Any = "question 1?") -> dict[str, Any]:
    """An item of `/v1/rewards`."""
    return {"messages": [{"role": "user", "content": question}], "response": response}
