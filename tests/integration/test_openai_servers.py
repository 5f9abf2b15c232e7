"""The engine on a real server: `transformers serve` with the embedded model."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwise.engines.base import Sampling
from headwise.engines.embedded import embedded_model_path
from headwise.engines.load import load
from headwise.errors import EngineError
from headwise.prompts.conversation import Conversation

_MISSING = [n for n in ("openai", "fastapi", "uvicorn") if importlib.util.find_spec(n) is None]
pytestmark = [
    pytest.mark.embedded,
    pytest.mark.skipif(bool(_MISSING), reason=f"the server needs {', '.join(_MISSING)}"),
]

_SECONDS_TO_START = 120
_SERVE = "import sys; from transformers.cli.transformers import main; sys.exit(main())"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def has_started(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as reply:  # noqa: S310
            return bool(reply.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def model() -> str:
    try:
        return str(embedded_model_path())
    except EngineError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def url(model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that runs while the tests of this file do."""
    port = free_port()
    log = tmp_path_factory.mktemp("server") / "log.txt"
    options = ("--port", str(port), "--host", "127.0.0.1", "--device", "cpu", "--dtype", "float32")
    with log.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-c", _SERVE, "serve", model, *options],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            until = time.monotonic() + _SECONDS_TO_START
            while not has_started(f"http://127.0.0.1:{port}"):
                if server.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"The server did not start:\n{log.read_text()}")
                time.sleep(0.25)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            server.wait(timeout=30)


def test_a_server_says_what_the_model_says_here(url: str, model: str) -> None:
    from headwise.engines.openai import OpenAIEngine

    engine = OpenAIEngine(model, url, concurrency=2)
    asked = [
        Conversation.user("What is the capital of France?"),
        Conversation.user("Say hello.", system="You are polite."),
        Conversation.completion("The capital of France is"),
    ]
    sampling = Sampling(8, stop=("\n",))
    assert engine.generate(asked, sampling) == load().generate(asked, sampling)
    assert engine.usage.completion_tokens > 0


def test_log_probabilities_that_a_server_has_not_are_an_error(url: str, model: str) -> None:
    from headwise.engines.openai import OpenAIEngine

    with pytest.raises(EngineError, match="log-probabilities"):
        OpenAIEngine(model, url).token_logprobs([Conversation.user("Is it?")], ["Yes", "No"])


def test_a_model_that_a_server_has_not_is_an_error(url: str) -> None:
    from headwise.engines.openai import OpenAIEngine

    with pytest.raises(EngineError, match="The server answered 4"):
        OpenAIEngine("nobody/nothing", url, max_retries=0).generate([Conversation.user("Hm?")])


def test_the_command_line_on_a_server(url: str, model: str, tmp_path: Path) -> None:
    from command_line import done, read_jsonl, write_jsonl

    pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pillow.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    row = {"image": "red.png", "question": "What color is it?"}
    file, out = write_jsonl(tmp_path / "asked.jsonl", [row]), tmp_path / "answered.jsonl"
    named = ("--engine", "openai", "--base-url", url, "--model", model)
    done("ccot", file, "-o", out, *named, "--max-graph-tokens", 16, "--max-new-tokens", 4)
    [answered] = read_jsonl(out)
    assert answered["graph_status"] in ("parsed", "repaired", "text")
    assert answered["written"]
