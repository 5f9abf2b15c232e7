"""The server as the system sees it: asked to end, killed in the middle, started again."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time

import httpx
import numpy as np
import pytest
from command_line import failed
from forked import start
from serving import item

import headwise

resource = pytest.importorskip("resource")  # What has it can fork as well.

N_CLIENTS = 4
N_CALLS = 12


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def serve(tmp_path, port, scalar_folder):
    """Starts servers, one after the other at the same port; ends what still runs."""
    running = []

    def begin(*options):
        folder = tmp_path / str(len(running))
        folder.mkdir()
        process = start(folder, "serve", f"good={scalar_folder}", "--port", port, *options)
        running.append(process)
        process.wait_for(lambda: is_ready(port))
        return process

    yield begin
    for process in running:
        try:
            process.kill(signal.SIGKILL)
            process.wait()
        except (ProcessLookupError, ChildProcessError):
            continue


def is_ready(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=20).status_code == 200
    except httpx.TransportError:
        return False


def load(port, between=0.0):
    """Asks from several clients at once; gives what each call got, by client and call."""
    found = {}

    def ask(client_number):
        with headwise.Client(f"http://127.0.0.1:{port}", max_retries=30) as client:
            for call in range(N_CALLS):
                words = [f"answer {client_number} {call} {n}" for n in range(5)]
                found[client_number, call] = client.score(["question 1?"] * 5, words)
                time.sleep(between)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(N_CLIENTS)]
    for thread in threads:
        thread.start()
    return found, threads


def test_killed_during_load_and_started_again_clients_get_the_same_answers(
    serve, port, scalar_folder
):
    server = serve()
    found, threads = load(port, between=0.02)
    while len(found) < N_CLIENTS * N_CALLS // 4:
        time.sleep(0.001)
    server.kill(signal.SIGKILL)
    server.wait()
    n_before = len(found)
    serve()
    for thread in threads:
        thread.join(60)
    assert n_before < len(found) == N_CLIENTS * N_CALLS
    model = headwise.from_pretrained(scalar_folder)
    for (client_number, call), values in found.items():
        words = [f"answer {client_number} {call} {n}" for n in range(5)]
        np.testing.assert_allclose(
            values, model.score(["question 1?"] * 5, words), rtol=0, atol=1e-5
        )


def test_asked_to_end_it_answers_what_it_accepted_and_refuses_what_is_new(serve, port):
    server = serve()
    address = f"http://127.0.0.1:{port}"
    many = {"items": [item(f"answer {n} " + "word " * 20) for n in range(900)]}
    slow = []
    thread = threading.Thread(
        target=lambda: slow.append(httpx.post(f"{address}/v1/rewards", json=many, timeout=60))
    )
    thread.start()
    with httpx.Client(base_url=address, timeout=60) as client:
        while "headwise_queue_items 0.0" in client.get("/metrics").text:
            time.sleep(0.005)
        server.kill(signal.SIGTERM)
        while client.get("/ready").status_code == 200:
            time.sleep(0.005)
        refused = client.post("/v1/rewards", json={"items": [item("new")]})
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    thread.join(60)
    finished = server.wait()
    assert slow[0].status_code == 200
    assert None not in slow[0].json()["rewards"]
    assert finished.exit_code == 0, finished.stderr


def test_its_log_is_json_without_what_was_sent(serve, port):
    server = serve()
    address = f"http://127.0.0.1:{port}"
    body = {"items": [item("a secret answer", "a secret question")]}
    assert httpx.post(f"{address}/v1/rewards", json=body, timeout=60).status_code == 200
    assert httpx.post(f"{address}/v1/rewards", json={"secret": 1}, timeout=60).status_code == 422
    server.kill(signal.SIGTERM)
    finished = server.wait()
    lines = [json.loads(line) for line in finished.stderr.splitlines() if line.startswith("{")]
    told = [line for line in lines if line.get("event") == "request"]
    assert [line["status"] for line in told if line["route"] == "/v1/rewards"] == [200, 422]
    assert "secret" not in finished.stderr
    assert finished.stdout == ""


def test_contents_are_logged_where_the_operator_wants_it(serve, port):
    server = serve("--log-contents")
    body = {"items": [item("a secret answer")]}
    httpx.post(f"http://127.0.0.1:{port}/v1/rewards", json=body, timeout=60)
    server.kill(signal.SIGTERM)
    assert "a secret answer" in server.wait().stderr


def test_what_cannot_be_served_is_told(tmp_path, scalar_folder):
    assert "no-such" in failed(1, "serve", tmp_path / "no-such")
    assert "--max-items 1024" in failed(2, "serve", tmp_path, "--queue-items", 1_000)
    told = failed(2, "serve", scalar_folder, scalar_folder)
    assert "NAME=DIR" in told
    keys = tmp_path / "keys"
    assert "API keys" in failed(2, "serve", scalar_folder, "--api-keys", keys)
