"""What reward servers are asked, and how their answers are read: one form a kind of server."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from headwise.baselines.response_chats import ResponseChat
from headwise.content import Content, Image
from headwise.content.turns import Message
from headwise.engines.openai.wire import data_url
from headwise.errors import EngineError, InputError, shortened

_SHOWN_CHARACTERS = 200

FormName = Literal["openrlhf", "vllm-classify", "vllm-score", "headwise"]
"""OpenRLHF's `/get_reward`, vLLM's `/classify` and `/score`, or headwise's own `/v1/rewards`."""


@dataclass(frozen=True, slots=True)
class WrittenChat:
    """A chat as the text that a reward model was trained on.

    Args:
        prompt: Its beginning, up to the response.
        whole: All of it.
    """

    prompt: str
    whole: str


Template: TypeAlias = Callable[[ResponseChat], WrittenChat]
"""Writes a chat by a chat template."""


@dataclass(frozen=True, slots=True)
class FormSettings:
    """What the bodies of requests depend on.

    Args:
        model: The model, as the server calls it; None leaves it out.
        template: Writes chats as texts, where the form wants these; None where there is none.
    """

    model: str | None
    template: Template | None

    @property
    def named(self) -> dict[str, Any]:
        """The part of a body that names the model."""
        return {} if self.model is None else {"model": self.model}


@dataclass(frozen=True, slots=True)
class Unscored:
    """A response that the server alone could not score.

    Args:
        reason: What the server says of it.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of server.

    Args:
        path: Where its route is, for errors.
        body: Chats of one request -> its body.
        rewards: A reply, and how many rewards it should hold -> the rewards, or why a response has
            none.
        one_a_request: Whether a request can hold one chat only.
        is_reply: Whether the body of a 422 says of each response why it has no reward, so that it
            is no refusal of the request.
        compares: Whether the server may compare the responses to one prompt in a request.
    """

    path: str
    body: Callable[[Sequence[ResponseChat], FormSettings], dict[str, Any]]
    rewards: Callable[[object, int], Sequence[float | Unscored]]
    one_a_request: Callable[[FormSettings], bool] = lambda settings: False
    is_reply: Callable[[object], bool] = lambda body: False
    compares: bool = False


def form_of(name: str) -> Form:
    """The form of a name.

    Raises:
        InputError: There is none of this name.
    """
    if name not in _FORMS:
        raise InputError(f"form is one of {tuple(_FORMS)}; got {name!r}.")
    return _FORMS[name]


def _openrlhf_body(chats: Sequence[ResponseChat], settings: FormSettings) -> dict[str, Any]:
    _require_texts(chats, "openrlhf")
    written = [(settings.template or _as_paragraphs)(chat) for chat in chats]
    return {
        "query": [one.whole for one in written],
        "prompts": [one.prompt for one in written],
        "labels": [""] * len(chats),
    }


def _as_paragraphs(chat: ResponseChat) -> WrittenChat:
    prompt = f"{chat.prompt_text}\n"
    return WrittenChat(prompt, f"{prompt}{chat.response.text}")


def _openrlhf_rewards(reply: object, n: int) -> list[float]:
    return _numbers(_field(reply, "rewards"), n, "rewards")


# vLLM softmaxes, or squashes, unless told not to; a reward is the raw output.
_RAW = {"use_activation": False}


def _classify_body(chats: Sequence[ResponseChat], settings: FormSettings) -> dict[str, Any]:
    raw = {**settings.named, **_RAW}
    if settings.template is not None:
        _require_texts(chats, "vllm-classify with a tokenizer")
        return {**raw, "input": [settings.template(chat).whole for chat in chats]}
    return {**raw, "messages": _messages(chats[0].all_turns)}


def _classify_rewards(reply: object, n: int) -> list[float]:
    rows = _rows(reply, n)
    return _numbers([_last(_field(row, "probs")) for row in rows], n, "probs")


def _score_body(chats: Sequence[ResponseChat], settings: FormSettings) -> dict[str, Any]:
    raw = {**settings.named, **_RAW}
    if not any(chat.images for chat in chats):
        return {
            **raw,
            "text_1": [chat.prompt_text for chat in chats],
            "text_2": [chat.response.text for chat in chats],
        }
    return {
        **raw,
        "data_1": [{"content": _prompt_parts(chat)} for chat in chats],
        "data_2": [{"content": _parts(chat.response.content)} for chat in chats],
    }


def _score_rewards(reply: object, n: int) -> list[float]:
    return _numbers([_field(row, "score") for row in _rows(reply, n)], n, "score")


def _headwise_body(chats: Sequence[ResponseChat], settings: FormSettings) -> dict[str, Any]:
    items = [
        {"messages": _messages(chat.turns), "response": _wire(chat.response.content)}
        for chat in chats
    ]
    return {**settings.named, "items": items}


def _headwise_rewards(reply: object, n: int) -> Sequence[float | Unscored]:
    values = _field(reply, "rewards")
    reasons = _reasons(reply)
    if not isinstance(values, list) or len(values) != n:
        return _numbers(values, n, "rewards")
    scored = [value for row, value in enumerate(values) if row not in reasons]
    numbers = iter(_numbers(scored, len(scored), "rewards"))
    return [Unscored(reasons[row]) if row in reasons else next(numbers) for row in range(n)]


def _is_headwise_reply(body: object) -> bool:
    return (
        isinstance(body, Mapping) and isinstance(body.get("rewards"), list) and bool(_reasons(body))
    )


def _reasons(reply: object) -> dict[int, str]:
    """Why responses have no reward, by their numbers in the request."""
    errors = reply.get("errors") if isinstance(reply, Mapping) else None
    if not isinstance(errors, list):
        return {}
    named = [
        one for one in errors if isinstance(one, Mapping) and isinstance(one.get("index"), int)
    ]
    return {one["index"]: _said(one.get("message")) for one in named}


def _said(message: object) -> str:
    """A server's words on one line, not endless."""
    words = " ".join(str(message).split())
    return words if len(words) <= _SHOWN_CHARACTERS else f"{words[:_SHOWN_CHARACTERS]}..."


_FORMS: Mapping[str, Form] = {
    "openrlhf": Form("/get_reward", _openrlhf_body, _openrlhf_rewards),
    "vllm-classify": Form(
        "/classify",
        _classify_body,
        _classify_rewards,
        # Messages, which the server puts into its own template, are of one chat.
        one_a_request=lambda settings: settings.template is None,
    ),
    "vllm-score": Form("/score", _score_body, _score_rewards),
    "headwise": Form(
        "/v1/rewards", _headwise_body, _headwise_rewards, is_reply=_is_headwise_reply, compares=True
    ),
}


def _require_texts(chats: Sequence[ResponseChat], form: str) -> None:
    if any(chat.images for chat in chats):
        raise InputError(
            f"The form {form} sends texts only, and a prompt or response shows an image. Servers "
            "that see images take the forms 'vllm-classify' (without a tokenizer), 'vllm-score' or "
            "'headwise'."
        )


def _parts(content: Content) -> list[dict[str, Any]]:
    wired = _wire(content)
    return [{"type": "text", "text": wired}] if isinstance(wired, str) else wired


def _prompt_parts(chat: ResponseChat) -> list[dict[str, Any]]:
    return [part for turn in chat.turns for part in _parts(turn.content)]


def _messages(turns: Sequence[Message]) -> list[dict[str, Any]]:
    return [{"role": turn.role, "content": _wire(turn.content)} for turn in turns]


def _wire(content: Content) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return [
        {"type": "image_url", "image_url": {"url": data_url(part)}}
        if isinstance(part, Image)
        else {"type": "text", "text": part}
        for part in content
    ]


def _field(value: object, name: str) -> object:
    if not isinstance(value, Mapping) or name not in value:
        raise EngineError(
            f"The server's reply has no {name!r}: {shortened(value)}. Is the form the one that the "
            "server speaks?"
        )
    return value[name]


def _rows(reply: object, n: int) -> list[object]:
    """The rows of a reply of vLLM, in the order of what was asked."""
    rows = _field(reply, "data")
    if not isinstance(rows, list) or len(rows) != n:
        raise EngineError(f"The server should give {n} results; it gave {shortened(rows)}.")
    if any(isinstance(row, Mapping) and "index" in row for row in rows):
        rows = sorted(rows, key=lambda row: _index(row))
        if [_index(row) for row in rows] != list(range(n)):
            raise EngineError(f"The server's results are not numbered 0 to {n - 1}.")
    return rows


def _index(row: object) -> int:
    index = _field(row, "index")
    if not isinstance(index, int):
        raise EngineError(f"The server's reply has the index {shortened(index)}, no number.")
    return index


def _last(values: object) -> object:
    return values[-1] if isinstance(values, list) and values else values


def _numbers(values: object, n: int, name: str) -> list[float]:
    if not isinstance(values, list) or len(values) != n:
        raise EngineError(
            f"The server should give {n} numbers as {name!r}; it gave {shortened(values)}."
        )
    for number, value in enumerate(values):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value):
            raise EngineError(
                f"The server gave no finite number as {name!r} of response {number} of a request: "
                f"{shortened(value)}."
            )
    return [float(value) for value in values]
