"""A served shelf of artifacts on the tiny model, in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def item(response: Any, question: Any = "question 1?") -> dict[str, Any]:
    """An item of `/v1/rewards`."""
    return {"messages": [{"role": "user", "content": question}], "response": response}
