"""The client: what it sends, what it makes of answers, and when it tries again."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
from io import BytesIO

import httpx
import numpy as np
import pytest
from PIL import Image as Pil

import headwise
from headwise.client import Address, RemoteReward
from headwise.client.connection import Connection
from headwise.client.retries import Patience
from headwise.errors import EngineError, InputError

PROMPTS = ["a?", "b?", "a?", "c?"]
RESPONSES = ["one", "two!", "three", "four"]


class Server:
    """Answers `/v1/rewards` with the lengths of responses, after some refusals."""

    def __init__(self, *refusals) -> None:
        self.refusals = list(refusals)
        self.bodies = []
        self.headers = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.headers.append(request.headers)
        if self.refusals:
            refusal = self.refusals.pop(0)
            if isinstance(refusal, Exception):
                raise refusal
            status, headers = refusal if isinstance(refusal, tuple) else (refusal, {})
            body = {"error": {"message": "items.0: not so", "field": "items.0"}}
            return httpx.Response(status, json=body, headers=headers)
        body = json.loads(request.content)
        self.bodies.append(body)
        names = body.get("criteria", [body.get("model") or "judge"])
        bad = [n for n, item in enumerate(body["items"]) if item["response"] == "bad"]
        values = [
            None if n in bad else float(len(item["response"]))
            for n, item in enumerate(body["items"])
        ]
        return httpx.Response(
            422 if len(bad) == len(values) else 200,
            json={
                "rewards": values,
                "criteria": dict.fromkeys(names, values),
                "truncated": [value == 5 for value in values],
                "errors": [{"index": n, "message": "no good"} for n in bad],
            },
        )


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """The seconds that were waited, in no time."""
    waited = []
    monkeypatch.setattr("headwise.client.connection.time.sleep", waited.append)

    async def at_once(seconds):
        waited.append(seconds)

    monkeypatch.setattr("headwise.client.connection.asyncio.sleep", at_once)
    return waited


def client(server, **options):
    return headwise.Client("http://x", transport=httpx.MockTransport(server), **options)


def png() -> bytes:
    stream = BytesIO()
    Pil.new("RGB", (2, 2), "red").save(stream, format="PNG")
    return stream.getvalue()


@pytest.mark.parametrize("size", [1, 2, 3, 64])
def test_rewards_are_in_the_order_of_the_rows_whatever_the_chunks(size):
    found = client(Server(), items_per_request=size).rewards(PROMPTS, RESPONSES, criteria=["x"])
    assert found.rewards == (3.0, 4.0, 5.0, 4.0)
    assert found.criteria == {"x": (3.0, 4.0, 5.0, 4.0)}
    assert found.truncated == (False, False, True, False)


def test_responses_to_one_prompt_stay_in_one_request():
    server = Server()
    client(server, items_per_request=1).score(PROMPTS, RESPONSES)
    sent = [[item["messages"][0]["content"] for item in body["items"]] for body in server.bodies]
    assert sent == [["a?", "a?"], ["b?"], ["c?"]]


def test_what_is_sent_is_the_chat_with_pictures_as_data_urls():
    server = Server()
    chat = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "What is it?"}]
    client(server).score([chat], ["a dot"], [[png()]], criteria="kind")
    [body] = server.bodies
    assert body["model"] == "kind"
    [item] = body["items"]
    assert item["response"] == "a dot"
    assert item["messages"][0] == {"role": "system", "content": "Be kind."}
    picture, text = item["messages"][1]["content"]
    assert text == {"type": "text", "text": "What is it?"}
    head, _, data = picture["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == png()


def test_an_item_without_answer_is_told_and_the_others_are_there():
    server = Server()
    found = client(server, items_per_request=1).rewards(["a?", "b?"], ["bad", "good"])
    assert found.rewards == (None, 4.0)
    assert [(error.index, error.message) for error in found.errors] == [(0, "no good")]
    with pytest.raises(InputError, match="item 0: no good"):
        client(server).score(["a?", "b?"], ["bad", "good"])


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(status, waits):
    server = Server((status, {"retry-after": "3"}), status)
    values = client(server).score(["a?"], ["four"])
    np.testing.assert_array_equal(values, [4.0])
    assert waits == [3.0, 0.5]


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("no"), httpx.ReadError("cut"), httpx.RemoteProtocolError("cut")]
)
def test_a_lost_connection_is_made_again(error):
    assert client(Server(error, error)).score(["a?"], ["four"]).tolist() == [4.0]


@pytest.mark.parametrize(
    ("refusal", "kind", "words"),
    [
        (400, InputError, "items.0: not so"),
        (422, InputError, "items.0: not so"),
        (413, InputError, "items.0: not so"),
        (401, EngineError, "HEADWISE_API_KEY"),
        (500, EngineError, "500"),
        (httpx.ReadTimeout("slow"), EngineError, "did not answer within"),
    ],
)
def test_what_would_fail_again_is_not_tried_again(refusal, kind, words, waits):
    with pytest.raises(kind, match=words):
        client(Server(refusal)).score(["a?"], ["four"])
    assert waits == []


def test_it_gives_up_in_the_end(waits):
    with pytest.raises(EngineError, match="cannot be reached, tried 3 times"):
        client(Server(*[httpx.ConnectError("no")] * 9), max_retries=2).score(["a?"], ["four"])
    with pytest.raises(EngineError, match="tried 2 times"):
        client(Server(*[503] * 9), max_retries=1).score(["a?"], ["four"])
    assert len(waits) == 3


@pytest.mark.parametrize("asked", ["soon", "-5", "nan", "1e9"])
def test_odd_wishes_of_a_server_keep_nobody_waiting(asked):
    assert 0 < Patience(longest_wait=9.0).wait(0, {"retry-after": asked}) <= 9.0


def test_the_key_is_sent_and_never_kept(monkeypatch):
    monkeypatch.setenv("OTHER_KEY", "secret-key")
    server = Server()
    address = Address("http://x/", "OTHER_KEY")
    reward = RemoteReward(address, "judge")
    Connection(address, httpx.MockTransport(server)).call("POST", "/v1/rewards", {"items": []})
    assert server.headers[0]["authorization"] == "Bearer secret-key"
    assert b"secret-key" not in pickle.dumps(reward)
    assert "secret-key" not in repr(reward)


def test_the_async_client_gives_the_same():
    async def ask():
        transport = httpx.MockTransport(Server(503))
        async with headwise.AsyncClient(
            "http://x", transport=transport, items_per_request=1
        ) as asked:
            return await asked.score(PROMPTS, RESPONSES)

    assert asyncio.run(ask()).tolist() == [3.0, 4.0, 5.0, 4.0]


def test_as_a_reward_of_trl_it_is_a_picklable_function_with_a_name(monkeypatch):
    server = Server()
    real = Connection.__init__
    monkeypatch.setattr(
        Connection, "__init__", lambda self, a, _=None: real(self, a, httpx.MockTransport(server))
    )
    made = headwise.Client("http://x").reward_function("judge")
    reward = pickle.loads(pickle.dumps(made))  # noqa: S301
    assert reward.__name__ == "judge"
    logged = {}
    with pytest.warns(UserWarning, match="1 of 3 completions"):
        values = reward(
            prompts=["a?", [{"role": "user", "content": "b?"}], "c?"],
            completions=[
                [{"role": "assistant", "content": "one"}],
                [
                    {"role": "assistant", "content": "let me see"},
                    {"role": "user", "content": "well?"},
                    {"role": "assistant", "content": "three"},
                ],
                "bad",
            ],
            completion_ids=[[1], [2], [3]],
            answer=["x", "y", "z"],
            trainer_state=None,
            log_metric=logged.__setitem__,
            log_extra=lambda column, values: None,
        )
    assert values == [3.0, float(len("let me see\n\nUser: well?\n\nAssistant: three")), None]
    assert logged == {"judge/unscored": pytest.approx(1 / 3)}
    assert server.bodies[0]["items"][1]["messages"] == [{"role": "user", "content": "b?"}]


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", ""])
def test_an_address_is_http(url):
    with pytest.raises(InputError, match="http://"):
        headwise.Client(url)


@pytest.mark.parametrize("how", [{"items_per_request": 0}, {"concurrency": 0}])
def test_numbers_of_requests_are_one_at_least(how):
    with pytest.raises(InputError, match="1 at least"):
        headwise.AsyncClient("http://x", **how)
    with pytest.raises(InputError, match="1 at least"):
        headwise.Client("http://x", items_per_request=-1)


def test_as_many_prompts_as_responses():
    with pytest.raises(InputError, match="1, 2"):
        client(Server()).score(["a?"], ["x", "y"])
