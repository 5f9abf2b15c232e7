"""Reward servers: every form is asked as it wants to be, and what goes wrong is said."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headwise.baselines.http_connection import Patience
from headwise.baselines.http_rewards import HTTPReward
from headwise.errors import EngineError, InputError
from headwise.examples import Preference
from seeing_engine import colored
from tiny_tokenizer import build_tokenizer

pytest.importorskip("httpx")

QUICK = Patience(timeout=5.0, max_retries=3, first_wait=0.001)
PROMPTS: list[Any] = [
    "How many?",
    [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Why?"},
    ],
    "What?",
]
RESPONSES = ["five", "because", "a longer answer"]
LENGTHS = [float(len(response)) for response in RESPONSES]

Reply = tuple[int, Any]


@dataclass
class Asked:
    """What a server was asked."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    most_at_once: int = 0


@contextmanager
def reward_server(
    script: Callable[[dict[str, Any]], Reply], seconds: float = 0.0, **headers: str
) -> Iterator[Asked]:
    """Runs a server in this process, whose replies a test scripts; a text goes as it is."""
    asked, lock, under_way = Asked(), threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                under_way[0] += 1
                asked.most_at_once = max(asked.most_at_once, under_way[0])
                asked.bodies.append(body)
                asked.headers.append(dict(self.headers))
                status, reply = script(body)
            time.sleep(seconds)
            with lock:
                under_way[0] -= 1
            content = reply.encode() if isinstance(reply, str) else json.dumps(reply).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:  # The client gave up.
                self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    asked.url = f"http://127.0.0.1:{server.server_address[1]}/rewards"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def last_text(content: Any) -> str:
    return content if isinstance(content, str) else content[-1]["text"]


# A reward server of each kind that likes long answers.
def openrlhf(body: dict[str, Any]) -> Reply:
    pairs = zip(body["query"], body["prompts"], strict=True)
    assert len(body["labels"]) == len(body["query"])
    return 200, {"rewards": [len(q.removeprefix(p)) for q, p in pairs], "extra_logs": {}}


def classify(body: dict[str, Any]) -> Reply:
    assert body["use_activation"] is False
    assert body["messages"][-1]["role"] == "assistant"
    length = len(last_text(body["messages"][-1]["content"]))
    return 200, {"data": [{"index": 0, "label": "x", "probs": [length], "num_classes": 1}]}


def score(body: dict[str, Any]) -> Reply:
    rows = [{"index": n, "score": len(text)} for n, text in enumerate(body["text_2"])]
    return 200, {"data": rows[::-1]}


def headwise(body: dict[str, Any]) -> Reply:
    return 200, {"rewards": [len(item["response"]) for item in body["items"]], "errors": []}


SERVERS: dict[Any, Callable[[dict[str, Any]], Reply]] = {
    "openrlhf": openrlhf,
    "vllm-classify": classify,
    "vllm-score": score,
    "headwise": headwise,
}


# --- Every form --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", SERVERS)
@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_rewards_come_in_order_in_every_form(form: Any, batch_size: int) -> None:
    with reward_server(SERVERS[form]) as asked:
        method = HTTPReward(asked.url, form, "m", batch_size=batch_size, patience=QUICK)
        fitted = method.fit()
        assert fitted.score(PROMPTS, RESPONSES).tolist() == LENGTHS
        pairs = [Preference(p, r, "no") for p, r in zip(PROMPTS, RESPONSES, strict=True)]
        assert fitted.margins(pairs).tolist() == [length - 2 for length in LENGTHS]
        assert fitted.margins([]).shape == (0,)
        if form != "openrlhf":
            assert all(body["model"] == "m" for body in asked.bodies)
        n_first = -(-3 // (1 if form == "vllm-classify" else batch_size))
        # Both responses of a pair go together where they may be compared.
        size = max(2, batch_size) if form == "headwise" else batch_size
        n_then = -(-6 // (1 if form == "vllm-classify" else size))
        assert len(asked.bodies) == n_first + n_then


def test_headwise_is_asked_with_messages_and_pictures() -> None:
    with reward_server(headwise) as asked:
        HTTPReward(asked.url).fit().score(
            ["Color?"] * 2, ["red", ("like ", colored("red"))], [[colored("red")], None]
        )
    item, other = asked.bodies[0]["items"]
    assert item["response"] == "red"
    assert [part["type"] for part in other["response"]] == ["text", "image_url"]
    picture, text = item["messages"][0]["content"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")
    assert text == {"type": "text", "text": "Color?"}
    assert "model" not in asked.bodies[0]


def test_vllm_is_shown_pictures_too() -> None:
    shown = [[colored("red")]]
    with reward_server(classify) as asked:
        HTTPReward(asked.url, "vllm-classify").fit().score(["Color?"], ["red"], shown)
        kinds = [part["type"] for part in asked.bodies[0]["messages"][0]["content"]]
        assert kinds == ["image_url", "text"]
    with reward_server(lambda body: (200, {"data": [{"index": 0, "score": 1.5}]})) as asked:
        found = HTTPReward(asked.url, "vllm-score").fit().score(["Color?"], ["red"], shown)
        assert found.tolist() == [1.5]
        [prompt], [response] = asked.bodies[0]["data_1"], asked.bodies[0]["data_2"]
        assert [part["type"] for part in prompt["content"]] == ["image_url", "text"]
        assert response == {"content": [{"type": "text", "text": "red"}]}


def test_a_form_of_texts_refuses_pictures() -> None:
    with reward_server(openrlhf) as asked:
        with pytest.raises(InputError, match="texts only"):
            HTTPReward(asked.url, "openrlhf").fit().score(["C?"], ["red"], [[colored("red")]])
        assert asked.bodies == []


@pytest.mark.parametrize("form", ["openrlhf", "vllm-classify"])
def test_a_tokenizer_writes_conversations(form: Any, tmp_path: Path) -> None:
    tokenizer = build_tokenizer("bos")
    tokenizer.save_pretrained(tmp_path)

    def script(body: dict[str, Any]) -> Reply:
        texts = body.get("query") or body["input"]
        rows = [{"index": n, "probs": [len(text)]} for n, text in enumerate(texts)]
        return 200, {"data": rows, "rewards": [len(text) for text in texts]}

    with reward_server(script) as asked:
        method = HTTPReward(asked.url, form, tokenizer=str(tmp_path), batch_size=3)
        method.fit().score(PROMPTS, RESPONSES)
    [body] = asked.bodies
    texts = body.get("query") or body["input"]
    chat = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "five"}]
    written = tokenizer.apply_chat_template(chat, tokenize=False)
    assert written == "<|bos|>" + texts[0]
    if form == "openrlhf":
        opened = tokenizer.apply_chat_template(chat[:1], tokenize=False, add_generation_prompt=True)
        assert opened == "<|bos|>" + body["prompts"][0]
        assert all(q.startswith(p) for q, p in zip(texts, body["prompts"], strict=True))


# --- Trouble -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_asked_again(status: int) -> None:
    left = [2]

    def script(body: dict[str, Any]) -> Reply:
        left[0] -= 1
        return (status, {"error": "busy"}) if left[0] >= 0 else headwise(body)

    with reward_server(script) as asked:
        found = HTTPReward(asked.url, patience=QUICK).fit().score(["Q?"], ["abc"])
        assert found.tolist() == [3.0]
        assert len(asked.bodies) == 3


def test_patience_ends() -> None:
    with reward_server(lambda body: (500, {"detail": "on fire"})) as asked:
        with pytest.raises(EngineError, match=r"answered 500.*on fire.*tried 4 times"):
            HTTPReward(asked.url, patience=QUICK).fit().score(["Q?"], ["abc"])
        assert len(asked.bodies) == 4


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_refusal_is_final(status: int) -> None:
    with reward_server(lambda body: (status, {"detail": "bad"})) as asked:
        with pytest.raises(EngineError, match=f"answered {status}.*bad"):
            HTTPReward(asked.url, patience=QUICK).fit().score(["Q?"], ["abc"])
        assert len(asked.bodies) == 1


def test_errors_of_responses_are_told_by_row_over_all_requests() -> None:
    def script(body: dict[str, Any]) -> Reply:
        lengths = [len(item["response"]) for item in body["items"]]
        errors = [{"index": n, "message": "too long"} for n, k in enumerate(lengths) if k > 2]
        rewards = [None if k > 2 else k for k in lengths]
        status = 422 if len(errors) == len(lengths) else 200
        return status, {"rewards": rewards, "errors": errors, "error": {"message": "items.0"}}

    with reward_server(script) as asked:
        fitted = HTTPReward(asked.url, batch_size=2, patience=QUICK).fit()
        with pytest.raises(EngineError, match="score 3 of 5") as caught:
            fitted.score([f"Q{n}?" for n in range(5)], ["a", "long", "long", "long", "b"])
        assert len(asked.bodies) == 3
        assert [f"row {n}: " in str(caught.value) for n in range(5)] == [False, *[True] * 3, False]
        with pytest.raises(EngineError, match=r"rejected of row 0: too long$"):
            fitted.margins([Preference("Q?", "a", "long"), Preference("Q?", "b", "c")])
        with pytest.raises(EngineError, match=r"7 of 7.*row 4: too long \(and 2 more\)$"):
            fitted.score(["Q?"] * 7, ["long"] * 7)


def test_a_server_that_is_not_there_is_said_so() -> None:
    with reward_server(headwise) as asked:
        pass
    method = HTTPReward(asked.url, patience=Patience(1.0, 1, 0.001))
    with pytest.raises(EngineError, match="cannot be reached, tried 2 times"):
        method.fit().score(["Q?"], ["abc"])


def test_a_slow_server_is_not_waited_for_forever() -> None:
    with reward_server(headwise, seconds=0.6) as asked:
        method = HTTPReward(asked.url, patience=Patience(0.1, 0, 0.001))
        with pytest.raises(EngineError, match=r"did not answer within 0\.1 s"):
            method.fit().score(["Q?"], ["abc"])


@pytest.mark.parametrize(
    ("form", "reply", "said"),
    [
        ("headwise", {"rewards": [1.0]}, "should give 2 numbers"),
        ("headwise", {"scores": [1.0, 2.0]}, "has no 'rewards'"),
        ("headwise", {"rewards": [1.0, None], "errors": []}, "no finite number"),
        (
            "headwise",
            {"rewards": [1.0, None], "errors": [{"index": 1, "message": "too long"}]},
            "could not score 1 of 2.*row 1: too long",
        ),
        ("openrlhf", '{"rewards": [1.0, NaN]}', "no finite number"),
        ("openrlhf", {"rewards": [1.0, True]}, "no finite number"),
        ("vllm-score", {"data": [{"index": 0, "score": 1}]}, "should give 2 results"),
        ("vllm-score", {"data": [{"index": 0, "score": 1}] * 2}, "not numbered 0 to 1"),
        ("vllm-score", {"data": [{"index": 0}, {"index": 1}]}, "has no 'score'"),
        ("headwise", "<html>", "no JSON"),
        ("headwise", "[]", "has no 'rewards'"),
    ],
)
def test_a_reply_that_is_none_is_refused(form: Any, reply: Any, said: str) -> None:
    with (
        reward_server(lambda body: (200, reply)) as asked,
        pytest.raises(EngineError, match=said),
    ):
        HTTPReward(asked.url, form, patience=QUICK).fit().score(["Q?"] * 2, ["a", "b"])


# --- Load and keys -----------------------------------------------------------------------------


def test_no_more_requests_are_under_way_than_allowed() -> None:
    with reward_server(headwise, seconds=0.02) as asked:
        method = HTTPReward(asked.url, batch_size=1, concurrency=3)
        responses = ["a" * n for n in range(1, 13)]
        found = method.fit().score([f"Q{n}?" for n in range(12)], responses)
        assert found.tolist() == [float(n) for n in range(1, 13)]
        assert 1 < asked.most_at_once <= 3


def test_the_key_goes_in_its_header_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_KEY", "s3cret")
    with reward_server(lambda body: (401, {"detail": "not s3cret"})) as asked:
        fitted = HTTPReward(asked.url, api_key_variable="REWARD_KEY").fit()
        with pytest.raises(EngineError) as caught:
            fitted.score(["Q?"], ["a"])
        assert asked.headers[0]["Authorization"] == "Bearer s3cret"
        assert "s3cret" not in str(caught.value)
        assert "s3cret" not in repr(fitted)
        other = HTTPReward(asked.url, api_key_variable="REWARD_KEY", api_key_header="X-API-Key")
        with pytest.raises(EngineError):
            other.fit().score(["Q?"], ["a"])
        assert asked.headers[1]["X-API-Key"] == "s3cret"
        with pytest.raises(EngineError):
            HTTPReward(asked.url).fit().score(["Q?"], ["a"])
        assert "Authorization" not in asked.headers[2]


def test_a_key_in_the_address_is_not_shown() -> None:
    with reward_server(lambda body: (400, {})) as asked:
        fitted = HTTPReward(f"{asked.url}?key=s3cret").fit()
        with pytest.raises(EngineError) as caught:
            fitted.score(["Q?"], ["a"])
        assert "s3cret" not in str(caught.value)
        assert asked.url in str(caught.value)


def test_a_key_that_is_not_there_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REWARD_KEY", raising=False)
    with pytest.raises(InputError, match="REWARD_KEY is not set"):
        HTTPReward("http://localhost/x", api_key_variable="REWARD_KEY").fit()


@pytest.mark.parametrize(
    "how",
    [
        {"url": "localhost:80"},
        {"form": "grpc"},
        {"batch_size": 0},
        {"concurrency": 0},
        {"tokenizer": "x", "form": "headwise"},
    ],
)
def test_settings_that_mean_nothing_are_refused(how: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        HTTPReward(**{"url": "http://localhost/x", **how})
    with pytest.raises(InputError):
        Patience(timeout=0)


def test_counts_must_match() -> None:
    with reward_server(headwise) as asked:
        with pytest.raises(InputError, match="1 prompts and 2 responses"):
            HTTPReward(asked.url).fit().score(["Q?"], ["a", "b"])
        assert np.array_equal(HTTPReward(asked.url).fit().score([], []), np.zeros(0))
