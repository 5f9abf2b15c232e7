"""Prompts and completions as trainers hand them over, read into prompts and responses.

Trainers know turns that a reward prompt does not: results of tools, calls of tools, instructions of
a developer. They are shown as text of the turn that they belong to, never left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from headwise.content import as_content, as_images, joined, parts_of
from headwise.content.messages import names_pictures, parse_messages
from headwise.content.turns import Message
from headwise.errors import InputError, shortened
from headwise.examples import Prompt, Response

_SYSTEM_ROLES = ("developer",)
_TOOL_ROLES = ("tool", "function", "ipython")
_NAMES = {"user": "User", "assistant": "Assistant", "system": "System"}


def trainer_prompt(prompt: object, images: Sequence[object] = ()) -> Prompt:
    """A prompt as a trainer gives it.

    Args:
        prompt: A string, or chat messages, which may hold pictures and turns of tools.
        images: Pictures beside the prompt, such as a data set's column; not looked at where the
            messages show pictures already.

    Returns:
        A string, or turns.

    Raises:
        InputError: It is neither, or a message is malformed.
    """
    if isinstance(prompt, str) and not images:
        return prompt
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    plain = _plain_messages(messages, "prompt")
    shown = () if names_pictures(plain) else images
    return list(parse_messages(plain, as_images(shown)))


def trainer_response(completion: object) -> Response:
    r"""A completion as a trainer gives it.

    Args:
        completion: A string, or the messages that the model wrote; with tools there are several.

    Returns:
        The content of the first turn, each further one as `"\n\nUser: ..."` or
        `"\n\nAssistant: ..."`.

    Raises:
        InputError: It is neither, or a message is malformed.
    """
    if isinstance(completion, str):
        return completion
    turns = parse_messages(_plain_messages(completion, "completion"))
    first, *others = [turn.content for turn in turns]
    parts = [*parts_of(first)]
    for turn, content in zip(turns[1:], others, strict=True):
        parts += parts_of(joined(f"\n\n{_NAMES[turn.role]}: ", content))
    return as_content(parts)


def _plain_messages(messages: object, what: str) -> list[Mapping[str, object] | Message]:
    """Messages whose roles and contents a reward prompt can show."""
    # verl keeps them in arrays of objects.
    listed = messages.tolist() if hasattr(messages, "tolist") else messages
    if not isinstance(listed, Sequence) or isinstance(listed, str | bytes) or not listed:
        raise InputError(f"A {what} is text or a list of chat messages; got {shortened(messages)}.")
    return [_plain_message(message) for message in listed]


def _plain_message(message: object) -> Mapping[str, object] | Message:
    if not isinstance(message, Mapping):
        # What is wrong with it, parse_messages says.
        return message  # type: ignore[return-value]
    role = message.get("role")
    content = message.get("content")
    calls = message.get("tool_calls") or ()
    if role in _SYSTEM_ROLES:
        return {"role": "system", "content": content}
    if role in _TOOL_ROLES:
        return {"role": "user", "content": ["Result of the tool: ", *_blocks(content)]}
    if calls and isinstance(calls, Sequence):
        return {"role": role, "content": [*_blocks(content), *map(_shown_call, calls)]}
    return {**message, "content": "" if content is None and role == "assistant" else content}


def _blocks(content: object) -> list[object]:
    if content is None or content == "":
        return []
    if isinstance(content, Sequence) and not isinstance(content, str | bytes):
        return list(content)
    return [content if isinstance(content, str) else json.dumps(content, default=str)]


def _shown_call(call: object) -> str:
    function = call.get("function", call) if isinstance(call, Mapping) else call
    if not isinstance(function, Mapping):
        return f"Call of a tool: {shortened(call)}"
    arguments = function.get("arguments", "")
    shown = arguments if isinstance(arguments, str) else json.dumps(arguments, default=str)
    return f"Call of the tool {function.get('name')}: {shown}"
