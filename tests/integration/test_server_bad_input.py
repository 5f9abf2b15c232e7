"""Whatever is sent: a 4xx that names the field, never a 5xx, and other items are still answered."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Pil
from serving import item, served

import headwise
from headwise.errors import InputError
from headwise.server.app import Operation
from headwise.server.pictures import PictureGate
from headwise.server.settings import RequestLimits
from headwise.server.shelf import ArtifactPath

LIMITS = RequestLimits(
    body_bytes=300_000, items=5, text_characters=2_000, images=2, image_pixels=10_000
)


@pytest.fixture(scope="module")
def engine(model_folder):
    return headwise.load(str(model_folder))


@pytest.fixture(scope="module")
def client(engine, scalar_folder, ranked_folder):
    operation = Operation(limits=LIMITS)
    folders = f"good={scalar_folder}", f"better={ranked_folder}"
    with served(engine, *folders, operation=operation) as client:
        yield client


@pytest.fixture(scope="module")
def value(engine, scalar_folder):
    """The reward of `item("fine")`."""
    model = headwise.from_pretrained(scalar_folder, engine=engine)
    return float(model.score(["question 1?"], ["fine"])[0])


def png(width: int = 2, height: int = 2) -> bytes:
    stream = BytesIO()
    Pil.new("RGB", (width, height), "red").save(stream, format="PNG")
    return stream.getvalue()


def bomb() -> bytes:
    """A small PNG that says it is huge."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(60_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


def url(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def picture(text: str) -> list[object]:
    return [{"type": "image_url", "image_url": {"url": text}}, {"type": "text", "text": "hm?"}]


BAD_ITEMS = {
    "no response": ({"messages": [{"role": "user", "content": "q"}]}, "response"),
    "number for text": (item(3), "response"),
    "null character": (item("a\0b"), "response"),
    "null character in a prompt": (item("a", "q\0"), "messages.0.content"),
    "unknown role": ({"messages": [{"role": "x", "content": "q"}], "response": "a"}, "0.role"),
    "no messages": ({"messages": [], "response": "a"}, "messages"),
    "unknown field": ({**item("a"), "extra": 1}, "extra"),
    "odd field": ({**item("a"), "\ud800\n": 1}, "item"),
    "no object": ("item", "item"),
    "deep": (item([[[[[["a"]]]]]]), "response"),
    "too long": (item("x" * 2_001), "response"),
    "unknown part": (item([{"type": "audio"}]), "response"),
    "broken base64": (item("a", picture("data:image/png;base64,@@@@")), "messages.0.content.0"),
    "no picture": (item("a", picture(url(b"hello"))), "messages.0.content.0"),
    "cut short": (item("a", picture(url(png()[:20]))), "messages.0.content.0"),
    "bomb": (item("a", picture(url(bomb()))), "messages.0.content.0"),
    "large picture": (item("a", picture(url(png(200, 100)))), "messages.0.content.0"),
    "path": (item("a", picture("/etc/hostname")), "messages.0.content.0"),
    "link": (item("a", picture("http://127.0.0.1:9/x.png")), "messages.0.content.0"),
    "file link": (item("a", picture("file:///etc/hostname")), "messages.0.content.0"),
    "many pictures": (item("a", picture(url(png())) * 3), "images"),
    "a picture for a blind model": (item("a", picture(url(png()))), "image"),
}


@pytest.mark.parametrize("name", BAD_ITEMS)
def test_a_bad_item_fails_alone_and_is_told(client, value, name):
    bad, field = BAD_ITEMS[name]
    content = json.dumps({"model": "good", "items": [item("fine"), bad, item("fine")]})
    response = client.post("/v1/rewards", content=content, headers=JSON)
    assert response.status_code == 200, response.text
    found = response.json()
    np.testing.assert_allclose(found["rewards"][::2], [value, value], rtol=0, atol=1e-5)
    assert found["rewards"][1] is None
    [error] = found["errors"]
    assert error["index"] == 1
    assert field in error["message"]
    alone = client.post(
        "/v1/rewards", content=json.dumps({"model": "good", "items": [bad]}), headers=JSON
    )
    assert alone.status_code == 422
    assert field in alone.json()["error"]["message"]
    assert alone.json()["rewards"] == [None]


JSON = {"content-type": "application/json"}
FINE = [item("fine")]
BAD_BODIES = {
    "empty": (b"", 422, "body"),
    "no json": (b"{", 422, "body"),
    "no utf-8": (b'{"items": "\xff\xfe"}', 400, "body"),
    "deep": (b'{"items": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "body"),
    "deep objects": (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, 400, "body"),
    "nan": (b'{"items": NaN}', 422, "items"),
    "infinity": (b'{"model": "good", "weights": {"good": Infinity}}', 422, "items"),
    "long number": (b'{"items": ' + b"9" * 5_000 + b"}", 400, "body"),
    "list": (b"[]", 422, "body"),
    "lone surrogate": (b'{"model": "\\ud800", "items": []}', 422, "model"),
    "no items": (b'{"items": []}', 422, "items"),
    "many items": (json.dumps({"items": FINE * 6}).encode(), 413, "items"),
    "large": (b'{"items": "' + b"x" * 300_000 + b'"}', 413, "body"),
    "null character": (json.dumps({"model": "a\0", "items": FINE}).encode(), 422, "model"),
    "unknown model": (json.dumps({"model": "x", "items": FINE}).encode(), 404, "model"),
    "unknown field": (json.dumps({"modle": "x", "items": FINE}).encode(), 422, "modle"),
    "wrong type": (json.dumps({"model": 3, "items": FINE}).encode(), 422, "model"),
    "twice": (json.dumps({"criteria": ["good"] * 2, "items": FINE}).encode(), 422, "criteria"),
    "weights of nothing": (
        json.dumps({"criteria": ["good"], "weights": {"x": 1}, "items": FINE}).encode(),
        422,
        "weights",
    ),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_refused_with_words(client, name):
    content, status, field = BAD_BODIES[name]
    response = client.post("/v1/rewards", content=content, headers=JSON)
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert field in error["message"]
    assert len(error["message"]) < 1_500


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/get_reward?model=good", {"query": ["plain text"]}, "query.0"),
        ("/get_reward?model=good", {"query": ["a b"], "prompts": []}, "prompts"),
        ("/get_reward?model=good", {"query": ["a b"], "prompts": ["c"]}, "query.0"),
        ("/get_reward?model=good", {"query": ["a b"], "labels": [1, 2]}, "labels"),
        ("/get_reward", {"query": ["a b"], "prompts": ["a"]}, "model"),
        ("/get_reward?model=good", {"query": ["a b"], "prompts": ["a" * 2_001]}, "prompts.0"),
        ("/classify", {"model": "good"}, "input"),
        ("/classify", {"model": "good", "input": [1, 2]}, "input"),
        ("/classify", {"model": "good", "input": "no chat"}, "input.0"),
        ("/score", {"model": "good", "text_1": "q"}, "text_2"),
        ("/score", {"model": "good", "text_1": ["q"] * 2, "text_2": ["a"] * 3}, "text_1"),
        ("/score", {"model": "good", "text_1": " ", "text_2": "a"}, "text_1"),
        ("/score", {"model": "good", "text_1": "q", "queries": "q", "text_2": "a"}, "text_1"),
        ("/rerank", {"model": "good", "query": "q", "documents": []}, "documents"),
        ("/rerank", {"model": "good", "query": "q", "documents": ["a"], "top_n": -1}, "top_n"),
        ("/rerank", {"model": "better", "query": "q", "documents": ["a"]}, "item 0"),
    ],
)
def test_each_route_names_the_field(client, path, body, field):
    response = client.post(path, json=body)
    assert response.status_code == 422, response.text
    assert field in response.json()["error"]["message"]


def test_a_text_has_as_many_turns_as_a_list(engine, scalar_folder):
    text = "[INST]a[/INST]b" * 501
    with served(engine, f"good={scalar_folder}") as client:
        response = client.post("/classify", json={"model": "good", "input": text})
    assert response.status_code == 422
    assert "1002 turns" in response.json()["error"]["message"]


def test_who_needs_no_key_has_nothing_to_send(client):
    assert client.request("GET", "/health", content=b"x" * 4_096).status_code == 200
    assert client.request("GET", "/health", content=b"x" * 4_097).status_code == 413


def test_bodies_under_way_are_held_up_to_a_bound(engine, scalar_folder, monkeypatch):
    monkeypatch.setattr("headwise.server.gate._HELD_BYTES", 1)
    limits = RequestLimits(body_bytes=1_000)
    fine = {"items": [item("fine")]}
    with served(engine, scalar_folder, operation=Operation(limits=limits)) as client:
        gate = client.app.state.gate
        assert client.post("/v1/rewards", json=fine).status_code == 200
        assert gate._held_bytes == 0
        gate._held_bytes = 990
        assert client.post("/v1/rewards", json=fine).status_code == 429
        assert gate._held_bytes == 990


def test_other_content_and_methods_are_refused(client):
    assert client.get("/v1/rewards").status_code == 405
    gzip = {**JSON, "content-encoding": "gzip"}
    assert client.post("/v1/rewards", content=b"x", headers=gzip).status_code == 415
    assert client.post("/v1/rewards", content=b"x=1").status_code == 422


def test_a_text_of_too_many_tokens_is_refused_alone_where_the_operator_says_so(
    engine, scalar_folder, value
):
    operation = Operation(limits=RequestLimits(text_tokens=20))
    with served(engine, scalar_folder, operation=operation) as client:
        items = [item("fine"), item("word " * 30)]
        found = client.post("/v1/rewards", json={"items": items}).json()
    assert found["rewards"] == [pytest.approx(value, abs=1e-5), None]
    assert "limit of 20" in found["errors"][0]["message"]


def test_a_failure_of_the_server_is_told_without_its_inside(engine, scalar_folder):
    class Broken:
        def __getattr__(self, name):
            return getattr(engine, name)

        def capture(self, *_, **__):
            raise RuntimeError("secret of the inside")

    with served(Broken(), scalar_folder) as client:
        response = client.post("/v1/rewards", json={"items": [item("fine")]})
    assert response.status_code == 500
    assert "secret" not in response.text


class TestAllowedPictures:
    def test_a_folder_that_is_allowed_and_no_other(self, tmp_path):
        allowed, other = tmp_path / "allowed", tmp_path / "allowed-not"
        for folder in (allowed, other):
            folder.mkdir()
            (folder / "a.png").write_bytes(png())
        (allowed / "link.png").symlink_to(other / "a.png")
        gate = PictureGate.allowing(LIMITS, [str(allowed)])
        assert gate.read(str(allowed / "a.png"), "x").encoded == png()
        for text in (
            str(other / "a.png"),
            f"{allowed}/../allowed-not/a.png",
            str(allowed / "link.png"),
            str(allowed),
            str(allowed / "none.png"),
            "a.png",
        ):
            with pytest.raises(InputError):
                gate.read(text, "x")
        with pytest.raises(InputError):
            PictureGate.allowing(LIMITS, []).read(str(allowed / "a.png"), "x")

    def test_an_address_that_is_allowed_and_no_other(self, monkeypatch):
        fetched = []

        class Answer:
            status_code = 200

            def __enter__(self):
                return self

            def __exit__(self, *_):
                return None

            def iter_bytes(self):
                yield png()

        def stream(method, address, **options):
            assert options["follow_redirects"] is False
            fetched.append(address)
            return Answer()

        monkeypatch.setattr("httpx.stream", stream)
        gate = PictureGate.allowing(LIMITS, ["https://pics.example/a/"])
        assert gate.read("https://pics.example/a/b.png", "x").encoded == png()
        for text in (
            "https://pics.example/b.png",
            "https://pics.example/a/../b.png",
            "https://pics.example/a/%2e%2e/b.png",
            "https://pics.example.evil/a/b.png",
            "https://pics.example@evil/a/b.png",
            "http://pics.example/a/b.png",
        ):
            with pytest.raises(InputError, match="link"):
                gate.read(text, "x")
        assert fetched == ["https://pics.example/a/b.png"]

    @pytest.mark.parametrize("prefix", ["https://pics.example", "ftp://x/", "no-such-folder"])
    def test_a_prefix_is_a_folder_or_an_address_with_one(self, prefix):
        with pytest.raises(InputError, match="allowed"):
            PictureGate.allowing(LIMITS, [prefix])


def test_artifacts_are_named(tmp_path):
    folder = tmp_path / "judge"
    folder.mkdir()
    assert ArtifactPath.read(str(folder)) == ArtifactPath("judge", str(folder))
    assert ArtifactPath.read(f"x={folder}") == ArtifactPath("x", str(folder))
    with pytest.raises(InputError, match="NAME=DIR"):
        ArtifactPath.read("=x")
