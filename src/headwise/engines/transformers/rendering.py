"""Conversations to the text that a model's chat template makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from headwise.content import Image, parts_of
from headwise.content.turns import Message
from headwise.errors import InputError
from headwise.prompts.conversation import Conversation

_ROLE_TITLES = {"system": "System", "user": "User", "assistant": "Assistant"}
# What a template writes that takes a list of parts for text.
_A_LIST_AS_TEXT = "{'type':"

Turn = dict[str, Any]
Neutralise = Callable[[str], str]


def plain_turns(conversation: Conversation, placeholder: str, neutralise: Neutralise) -> str:
    """The text of a chat for a model without chat template.

    Args:
        conversation: A chat.
        placeholder: What stands for a picture.
        neutralise: Takes from a text what would be a special token.
    """
    lines = [
        f"{_ROLE_TITLES[turn.role]}: {_text_of(turn, placeholder, neutralise)}"
        for turn in conversation.messages
    ]
    prefill = neutralise(conversation.prefill)
    return "\n\n".join([*lines, "Assistant:"]) + (f" {prefill}" if prefill else "")


def template_text(
    conversation: Conversation,
    apply: Callable[[list[Turn]], str],
    placeholder: str | None,
    neutralise: Neutralise,
) -> str:
    """The text that a chat template makes of a chat, without the prefill.

    Args:
        conversation: A chat.
        apply: The chat template.
        placeholder: What stands for a picture; None for a model that knows none.
        neutralise: Takes from a text what would be a special token.

    Raises:
        InputError: The template refuses the chat, or drops a text or a picture of it.
    """
    if placeholder is None:
        turns = [
            {"role": turn.role, "content": _text_of(turn, "", neutralise)}
            for turn in conversation.messages
        ]
        return _applied(apply, turns)
    refusal: InputError | None = None
    for turns in _forms(conversation, placeholder, neutralise):
        try:
            text = _applied(apply, turns)
        except InputError as error:
            refusal = refusal or error
            continue
        if _says_everything(text, conversation, placeholder, neutralise):
            return text
    raise refusal or InputError(
        "The model's chat template dropped a text or an image of a conversation with the turns "
        f"{_roles(conversation.messages)}. It may know no such turn, or images in a user's only."
    )


def _forms(
    conversation: Conversation, placeholder: str, neutralise: Neutralise
) -> Iterator[list[Turn]]:
    """A chat in the forms that templates want, those most of them want first."""
    for is_parts in (_always, _with_images, _never):
        yield [
            {
                "role": turn.role,
                "content": _parts(turn, neutralise)
                if is_parts(turn)
                else _text_of(turn, placeholder, neutralise),
            }
            for turn in conversation.messages
        ]


def _always(turn: Message) -> bool:
    return True


def _with_images(turn: Message) -> bool:
    return bool(turn.images)


def _never(turn: Message) -> bool:
    return False


def _parts(turn: Message, neutralise: Neutralise) -> list[dict[str, str]]:
    return [
        {"type": "image"} if isinstance(part, Image) else {"type": "text", "text": neutralise(part)}
        for part in parts_of(turn.content)
    ]


def _text_of(turn: Message, placeholder: str, neutralise: Neutralise) -> str:
    return "".join(
        placeholder if isinstance(part, Image) else neutralise(part)
        for part in parts_of(turn.content)
    )


def _applied(apply: Callable[[list[Turn]], str], turns: list[Turn]) -> str:
    try:
        return str(apply(turns))
    except Exception as error:  # Templates are programs of their own and raise what they like.
        roles = ", ".join(turn["role"] for turn in turns)
        raise InputError(
            f"The model's chat template refused a conversation with the turns {roles}: {error}"
        ) from error


def _says_everything(
    text: str, conversation: Conversation, placeholder: str, neutralise: Neutralise
) -> bool:
    said = [
        (turn.role, neutralise(part))
        for turn in conversation.messages
        for part in parts_of(turn.content)
        if isinstance(part, str)
    ]
    lists = sum(part.count(_A_LIST_AS_TEXT) for _, part in said)
    return (
        text.count(placeholder) == len(conversation.images)
        and text.count(_A_LIST_AS_TEXT) <= lists
        # Of earlier answers some templates leave out what was thought before them.
        and all(part.strip() in text for role, part in said if role != "assistant")
    )


def _roles(messages: Sequence[Message]) -> str:
    return ", ".join(turn.role for turn in messages)
