"""Conversations as an OpenAI-compatible server takes them; images become data URLs."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from io import BytesIO
from typing import Any

from headwise.content import Content, Image
from headwise.content.decoding import require_pillow
from headwise.errors import EngineError
from headwise.prompts.conversation import Conversation

MOST_STOPS = 4
"""Servers take no more stop strings; texts are cut here at the others."""

_KEPT_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_ORIENTATION, _UPRIGHT = 0x0112, (None, 1)


def wire_messages(conversation: Conversation, *, continues: bool) -> list[dict[str, Any]]:
    """The turns of a chat.

    Args:
        conversation: A chat.
        continues: Whether the server can go on with an assistant turn that has begun.

    Returns:
        One message a turn.

    Raises:
        EngineError: The answer has a beginning, and the server cannot go on with one.
        InputError: An image cannot be read.
    """
    messages = [
        {"role": turn.role, "content": _wire_content(turn.content)}
        for turn in conversation.messages
    ]
    if conversation.prefill:
        if not continues:
            raise EngineError(
                f"The answer is to go on from {conversation.prefill!r}, which most servers cannot. "
                "If yours can (vLLM, SGLang), say OpenAIEngine(..., continues_turns=True); or use "
                "the transformers engine."
            )
        messages.append({"role": "assistant", "content": conversation.prefill})
    return messages


def plain_prompt(conversation: Conversation) -> str:
    """The text of a conversation that has no turns.

    Raises:
        EngineError: It shows an image, which no such server takes in a plain text.
    """
    if conversation.text is None or not isinstance(conversation.text, str):
        raise EngineError(
            "A server takes images in chats only, not in a text to be completed. Put them in a "
            "user's turn (Conversation.user), or use the transformers engine."
        )
    return conversation.text + conversation.prefill


@lru_cache(maxsize=16)
def data_url(image: Image) -> str:
    """An image as a data URL.

    A PNG, JPEG or WebP goes as it is, unless it is turned or transparent, which servers make
    different things of; everything else goes as a PNG of what `Image.load` gives.

    Args:
        image: The image.

    Returns:
        The URL, image and all.

    Raises:
        InputError: The image cannot be read.
        MissingExtraError: Pillow is not installed.
    """
    upright = image.load()
    content = image.read()
    kind = _kept_kind(content)
    if kind is None:
        stream = BytesIO()
        upright.save(stream, format="PNG")
        content, kind = stream.getvalue(), "image/png"
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _wire_content(content: Content) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return [
        {"type": "image_url", "image_url": {"url": data_url(part)}}
        if isinstance(part, Image)
        else {"type": "text", "text": part}
        for part in content
    ]


def _kept_kind(content: bytes) -> str | None:
    """The media type of a file that may go as it is."""
    picture = require_pillow().open(BytesIO(content))
    is_plain = picture.mode == "RGB" and not picture.has_transparency_data
    if not is_plain or picture.getexif().get(_ORIENTATION) not in _UPRIGHT:
        return None
    return _KEPT_FORMATS.get(picture.format or "")
