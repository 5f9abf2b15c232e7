"""The engine on a server: what it sends, what it makes of replies, and what it cannot do."""

from __future__ import annotations

import base64
import logging
import math
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from headwise.content import Image, as_image
from headwise.engines.base import Sampling
from headwise.engines.openai import OpenAIEngine
from headwise.engines.openai.logprobs import continuation_logprob
from headwise.engines.openai.wire import data_url
from headwise.engines.usage import Usage, usage_of
from headwise.errors import EngineError, InputError, MissingExtraError
from headwise.prompts.conversation import Conversation, Message
from openai_server import Reply, completed, openai_server, question_of, refused, said

pytest.importorskip("openai", reason="the package 'openai' is not installed")

ASK = Conversation.user("Hello?")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def echo(path: str, body: dict[str, Any]) -> Reply:
    return said(question_of(body).upper())


def pixels(data: str) -> Any:
    head, _, content = data.partition(";base64,")
    return head, np.asarray(Pillow.open(BytesIO(base64.b64decode(content))))


def test_answers_come_in_order_from_a_bounded_number_of_requests() -> None:
    asked = [Conversation.user(f"q{number}") for number in range(12)]
    with openai_server(echo, seconds=0.02) as seen:
        engine = OpenAIEngine("m", seen.url, concurrency=3)
        assert engine.generate(asked) == [f"Q{number}" for number in range(12)]
        assert engine.generate([]) == []
    assert 1 < seen.most_at_once <= 3
    assert usage_of(engine) == Usage(120, 24)


def test_a_request_says_what_the_sampling_says() -> None:
    sampling = Sampling(5, temperature=0.5, top_p=0.9, seed=7, stop=("a", "b", "c", "d", "e"))
    with openai_server(lambda *_: said("xyzexyz")) as seen:
        engine = OpenAIEngine("m", seen.url, concurrency=1, token_limit="max_completion_tokens")  # noqa: S106
        assert engine.generate([ASK, ASK], sampling) == ["xyz", "xyz"]
        OpenAIEngine("m", seen.url).generate([ASK])
    (path, first), (_, second), (_, greedy) = seen.requests
    assert path == "/v1/chat/completions"
    assert first == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello?"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["a", "b", "c", "d"],
        "max_completion_tokens": 5,
    }
    # A copy of a prompt is a sample of its own.
    assert second["seed"] == 8
    assert (greedy["temperature"], greedy["max_tokens"]) == (0.0, 64)
    assert "seed" not in greedy


def test_images_go_as_data_urls_in_their_places() -> None:
    picture = as_image(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    content = ("Look: ", picture, " what?")
    chat = Conversation((Message("system", "Be short."), Message("user", content)))
    with openai_server(echo) as seen:
        assert OpenAIEngine("m", seen.url).generate([chat]) == ["LOOK:  WHAT?"]
    system, user = seen.requests[0][1]["messages"]
    assert system == {"role": "system", "content": "Be short."}
    assert [part["type"] for part in user["content"]] == ["text", "image_url", "text"]
    head, shown = pixels(user["content"][1]["image_url"]["url"])
    assert head == "data:image/png"
    assert np.array_equal(shown, np.asarray(picture.load()))


def saved(picture: Any, kind: str, **options: Any) -> Image:
    stream = BytesIO()
    picture.save(stream, format=kind, **options)
    return as_image(stream.getvalue())


def test_files_go_as_they_are_unless_servers_may_see_them_otherwise() -> None:
    plain = Pillow.new("RGB", (4, 2), "red")
    jpeg = saved(plain, "JPEG")
    assert data_url(jpeg) == f"data:image/jpeg;base64,{base64.b64encode(jpeg.read()).decode()}"
    turned = Pillow.Exif()
    turned[0x0112] = 6
    clear = Pillow.new("RGBA", (4, 2), (255, 0, 0, 0))
    for image, shape in (
        (saved(plain, "JPEG", exif=turned), (4, 2, 3)),
        (saved(clear, "PNG"), (2, 4, 3)),
        (saved(plain, "BMP"), (2, 4, 3)),
    ):
        head, shown = pixels(data_url(image))
        assert (head, shown.shape) == ("data:image/png", shape)
        assert np.array_equal(shown, np.asarray(image.load()))


def test_plain_text_is_completed() -> None:
    with openai_server(lambda *_: completed(" Paris.")) as seen:
        answer = OpenAIEngine("m", seen.url).generate(
            [Conversation.completion("The capital is")], Sampling(stop=(".",))
        )
    assert answer == [" Paris"]
    assert seen.requests[0][0] == "/v1/completions"
    assert seen.requests[0][1]["prompt"] == "The capital is"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_tried_again(status: int) -> None:
    replies = [refused(status), refused(status), said("done")]
    with openai_server(lambda *_: replies.pop(0)) as seen:
        assert OpenAIEngine("m", seen.url, max_retries=2).generate([ASK]) == ["done"]
    assert len(seen.requests) == 3


def test_a_slow_server_is_tried_again_and_then_given_up() -> None:
    with openai_server(echo, seconds=0.4) as seen:
        engine = OpenAIEngine("m", seen.url, timeout=0.1, max_retries=1)
        with pytest.raises(EngineError, match=r"within 0\.1 s, tried 2 times"):
            engine.generate([ASK])
    assert len(seen.requests) == 2


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (refused(429, "slow down"), "429: slow down. It was tried 2 times"),
        (refused(500, "oops"), "500: oops. It was tried 2 times"),
        (refused(401, "bad key"), "Is the key in OPENAI_API_KEY"),
        (refused(404, "no such model"), "Is the model's name right"),
        (refused(400, "use max_completion_tokens"), "token_limit='max_completion_tokens'"),
        ((422, {"detail": "no images here"}), "422: no images here"),
        ((200, {"hello": 1}), "no answer in it"),
    ],
)
def test_failures_are_told(reply: Reply, words: str) -> None:
    with (
        openai_server(lambda *_: reply) as seen,
        pytest.raises(EngineError) as caught,
    ):
        OpenAIEngine("m", seen.url, max_retries=1).generate([ASK])
    assert words in str(caught.value)


def test_the_first_failure_ends_the_call() -> None:
    with openai_server(lambda *_: refused(400)) as seen:
        with pytest.raises(EngineError):
            OpenAIEngine("m", seen.url, concurrency=2).generate([ASK] * 50)
        assert len(seen.requests) < 50


def test_a_server_that_is_not_there_is_told() -> None:
    with openai_server(echo) as seen:
        pass
    with pytest.raises(EngineError, match="cannot be reached, tried 1 times"):
        OpenAIEngine("m", seen.url, max_retries=0).generate([ASK])


def test_no_text_is_an_empty_answer() -> None:
    with openai_server(lambda *_: said(None)) as seen:
        assert OpenAIEngine("m", seen.url).generate([ASK]) == [""]


def test_the_key_comes_from_the_environment_and_is_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret")
    caplog.set_level(logging.DEBUG)
    with openai_server(lambda *_: refused(401, "wrong key sk-secret")) as seen:
        engine = OpenAIEngine("m", seen.url, api_key_variable="MY_KEY")
        with pytest.raises(EngineError) as caught:
            engine.generate([ASK])
    assert seen.keys == ["Bearer sk-secret"]
    shown = f"{caught.value}{caught.value.__cause__}{engine!r}{engine.fingerprint}{caplog.text}"
    assert "sk-secret" not in shown
    assert "***" in str(caught.value)


def test_without_a_server_a_key_is_needed() -> None:
    with pytest.raises(EngineError, match="no key in the environment variable OPENAI_API_KEY"):
        OpenAIEngine("gpt")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    with pytest.raises(MissingExtraError, match=r"headwise\[openai\]"):
        OpenAIEngine("m", "http://localhost:1/v1")


def top(**values: float) -> dict[str, Any]:
    entries = [{"token": t, "logprob": v, "bytes": None} for t, v in values.items()]
    return {"logprobs": {"content": [{**entries[0], "top_logprobs": entries}], "refusal": None}}


def test_the_likeliest_first_tokens_are_exact() -> None:
    with openai_server(lambda *_: said("Yes", **top(Yes=-0.1, No=-2.5, Maybe=-4.0))) as seen:
        found = OpenAIEngine("m", seen.url).token_logprobs([ASK, ASK], ["No", "Yes"])
    assert found.tolist() == [[-2.5, -0.1], [-2.5, -0.1]]
    body = seen.requests[0][1]
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 20, 1)
    # A temperature of 0 would leave one token.
    assert body["temperature"] == 1.0


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (said("Yes", **top(Yes=-0.1)), "'No' is cannot be known exactly"),
        (said("Yes"), "returned no log-probabilities"),
        (completed("x"), "returned no log-probabilities"),
    ],
)
def test_what_is_not_exact_is_an_error(reply: Reply, words: str) -> None:
    with openai_server(lambda *_: reply) as seen, pytest.raises(EngineError, match=words):
        OpenAIEngine("m", seen.url).token_logprobs([ASK], ["No"])


def echoed(path: str, body: dict[str, Any]) -> Reply:
    words = body["prompt"].replace(" ", "\n ").split("\n")
    offsets = [sum(map(len, words[:number])) for number in range(len(words) + 1)]
    values = [None, *(-float(number) for number in range(1, len(words))), -99.0]
    logprobs = {"tokens": [*words, "!"], "text_offset": offsets, "token_logprobs": values}
    return completed(f"{body['prompt']}!", logprobs=logprobs)


def test_continuations_of_plain_text_are_exact() -> None:
    prompt = Conversation.completion("The capital of France is")
    with openai_server(echoed) as seen:
        engine = OpenAIEngine("m", seen.url)
        found = engine.token_logprobs([prompt], [" Paris", " not Rome"])
        assert found.tolist() == [[-5.0, -11.0]]
        with pytest.raises(EngineError, match="do not part where the prompt ends"):
            engine.token_logprobs([prompt], ["land"])
    assert seen.requests[0][1]["echo"] is True


def test_a_prompt_that_is_not_echoed_is_an_error() -> None:
    class Response:
        class Choice:
            class logprobs:  # noqa: N801
                token_logprobs = (-1.0,)
                text_offset = (24,)

        choices = (Choice,)

    with pytest.raises(EngineError):
        continuation_logprob(Response, "The capital of France is", " Paris")


@pytest.mark.parametrize(
    "use",
    [
        lambda e: e.layout,
        lambda e: e.capture([ASK]),
        lambda e: e.mask_losses([ASK], ["x"], None, None),
        lambda e: e.truncate("text", 8),
        lambda e: e.generate([ASK], steering=object()),
        lambda e: e.token_logprobs([ASK], ["Yes"], steering=object()),
    ],
)
def test_what_needs_heads_names_the_engine_that_has_them(
    use: Callable[[OpenAIEngine], object],
) -> None:
    with pytest.raises(EngineError, match="transformers engine"):
        use(OpenAIEngine("m", "http://localhost:1/v1"))


def test_begun_answers_need_a_server_that_goes_on_with_them() -> None:
    begun = Conversation.user("Hello?", prefill="Well,")
    with openai_server(echo) as seen:
        with pytest.raises(EngineError, match="continues_turns=True"):
            OpenAIEngine("m", seen.url).generate([begun])
        OpenAIEngine("m", seen.url, continues_turns=True).generate([begun])
    body = seen.requests[0][1]
    assert body["messages"][-1] == {"role": "assistant", "content": "Well,"}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


def test_images_in_plain_text_are_refused() -> None:
    picture = as_image(np.zeros((2, 2, 3), np.uint8))
    engine = OpenAIEngine("m", "http://localhost:1/v1")
    with pytest.raises(EngineError, match="in chats only"):
        engine.generate([Conversation.completion((picture, "x"))])


@pytest.mark.parametrize(
    "use",
    [
        lambda e: e.generate([ASK], Sampling(0)),
        lambda e: e.generate([ASK], Sampling(temperature=math.inf)),
        lambda e: e.generate([ASK], Sampling(top_p=0.0)),
        lambda e: e.generate([ASK], Sampling(stop=("",))),
        lambda e: e.token_logprobs([ASK], []),
        lambda e: e.token_logprobs([ASK], [""]),
        lambda e: OpenAIEngine(" ", "http://localhost:1/v1"),
        lambda e: OpenAIEngine("m", "http://localhost:1/v1", concurrency=0),
        lambda e: OpenAIEngine("m", "http://localhost:1/v1", timeout=0),
    ],
)
def test_wrong_arguments_are_told(use: Callable[[OpenAIEngine], object]) -> None:
    with pytest.raises(InputError):
        use(OpenAIEngine("m", "http://localhost:1/v1"))


def test_two_servers_are_two_models() -> None:
    first = OpenAIEngine("m", "http://one:1/v1").fingerprint
    second = OpenAIEngine("m", "http://two:1/v1").fingerprint
    assert first.difference(second) == ("weights_hash",)
    assert "http" not in str(first)
