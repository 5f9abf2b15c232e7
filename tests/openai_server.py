"""A small OpenAI-compatible server in this process, whose answers a test scripts."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, Any]]
Script = Callable[[str, dict[str, Any]], Reply]


@dataclass
class Seen:
    """What the server was asked.

    Args:
        url: Its address.
        requests: Path and body of each request, in order.
        keys: The `Authorization` header of each.
        most_at_once: The most requests that were under way at a time.
    """

    url: str = ""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    most_at_once: int = 0


def said(text: str | None, **more: Any) -> Reply:
    """A chat completion that says a text."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **more}
    return 200, {"choices": [choice], **_envelope("chat.completion")}


def completed(text: str, **more: Any) -> Reply:
    """A text completion."""
    choice = {"index": 0, "text": text, "finish_reason": "stop", **more}
    return 200, {"choices": [choice], **_envelope("text_completion")}


def refused(status: int, message: str = "no") -> Reply:
    """An error of a server."""
    return status, {"error": {"message": message, "type": "x", "code": None}}


def question_of(body: dict[str, Any]) -> str:
    """The text of the last message of a chat."""
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


@contextmanager
def openai_server(script: Script, seconds: float = 0.0) -> Iterator[Seen]:
    """Runs a server while the block lasts.

    Args:
        script: Path and body of a request -> status and body of the reply.
        seconds: How long each request takes.

    Yields:
        What it is asked.
    """
    seen, lock = Seen(), threading.Lock()
    under_way = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            nonlocal under_way
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                under_way += 1
                seen.most_at_once = max(seen.most_at_once, under_way)
                seen.requests.append((self.path, body))
                seen.keys.append(self.headers.get("Authorization"))
                status, reply = script(self.path, body)
            time.sleep(seconds)
            with lock:
                under_way -= 1
            content = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            # Tests of retries should not wait for them.
            self.send_header("Retry-After-Ms", "1")
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:  # The client gave up.
                self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _envelope(kind: str) -> dict[str, Any]:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    return {"id": "x", "object": kind, "created": 0, "model": "m", "usage": usage}
