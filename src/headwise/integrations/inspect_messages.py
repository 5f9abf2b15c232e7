"""The chat messages of `inspect_ai`, as headwise has them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from headwise.content import as_content
from headwise.content.messages import parse_messages
from headwise.content.turns import Message, Role
from headwise.errors import InputError

# What a model thought is no part of what it said.
_UNSAID = ("reasoning",)


def turns_of(messages: Iterable[Any]) -> tuple[Message, ...]:
    """Reads inspect's messages.

    Texts and images stay. Reasoning is left out. headwise's chats have no tools, so a call is a
    line of the assistant's turn, `[calls NAME {"argument": ...}]`, and its result is a user's turn.

    Args:
        messages: `ChatMessage`s: objects with `role` and `content`, which is text or a list of
            `Content`s. Images are data URLs or files; of what a model or a tool wrote only data
            URLs.

    Returns:
        The turns, in order.

    Raises:
        InputError: A message has another kind of content (audio, video, a document), or an image
            that cannot be read; says which message.
    """
    return tuple(_turn(number, message) for number, message in enumerate(messages))


def _turn(number: int, message: Any) -> Message:
    parts = _parts(number, message.content)
    role = message.role
    if role == "tool":
        name = getattr(message, "function", None) or "the tool"
        error = getattr(message, "error", None)
        outcome = "Result" if error is None else f"Error ({getattr(error, 'message', error)})"
        role, parts = "user", [f"{outcome} of {name}:", *parts]
    calls = [_call(call) for call in getattr(message, "tool_calls", None) or ()]
    # Text parts that follow each other are lines of their own.
    parts = [*parts, *calls]
    if role not in get_args(Role):
        raise InputError(
            f"Message {number} has the role {role!r}; expected one of tool, "
            f"{', '.join(get_args(Role))}."
        )
    # What a model or a tool wrote must not name a file of this machine.
    trusted = message.role in ("system", "user")
    [turn] = parse_messages([{"role": role, "content": parts}], allow_files=trusted)
    return Message(turn.role, as_content(turn.content))


def _parts(number: int, content: Any) -> list[str | Mapping[str, Any]]:
    if isinstance(content, str):
        return [content] if content else []
    parts: list[str | Mapping[str, Any]] = []
    for part in content:
        match part.type:
            case "text":
                parts.append({"type": "text", "text": part.text})
            case "image":
                parts.append({"type": "image", "image": part.image})
            case kind if kind in _UNSAID:
                continue
            case kind:
                raise InputError(
                    f"Message {number} has content of type {kind!r}; headwise reads texts and "
                    "images. Score another sample, or take it out of the messages with a solver."
                )
    return parts


def _call(call: Any) -> str:
    arguments = json.dumps(call.arguments, ensure_ascii=False, default=str)
    return f"[calls {call.function} {arguments}]"
