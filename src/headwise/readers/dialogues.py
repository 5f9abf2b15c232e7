r"""Two dialogues that fork -> one prompt and two responses.

A preference without a prompt column holds two whole dialogues. The prompt is what they share, up to
an assistant turn; the responses are everything from there on. Dialogues are message lists, or text
in the form of Anthropic's HH-RLHF (`"\n\nHuman: ...\n\nAssistant: ..."`), or any text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from headwise.content import Content, joined
from headwise.content.turns import Message
from headwise.examples import ChatMessages, Prompt, Response
from headwise.readers.values import BadValueError, content_of

_HEADER = re.compile(r"(?:\A\s*|(?:\r?\n){2})(Human|Assistant):")
_ROLE_OF = {"Human": "user", "Assistant": "assistant"}
_NAME_OF = {"system": "System", "user": "Human", "assistant": "Assistant"}
_AN_EARLIER_FORK = "two dialogues that share at least one turn and then go on with the assistant"


@dataclass(frozen=True, slots=True)
class Fork:
    """A prompt and the two ways it goes on.

    Args:
        prompt: What both share.
        chosen: How the chosen text goes on.
        rejected: How the rejected text goes on.
    """

    prompt: Prompt
    chosen: Response
    rejected: Response


@dataclass(frozen=True, slots=True)
class _Dialogue:
    text: str
    messages: ChatMessages
    starts: tuple[int, ...]

    def tail(self, turn: int) -> str:
        return self.text[self.starts[turn] :]


def fork_of_texts(chosen: str, rejected: str) -> Fork:
    r"""Splits two texts where they fork.

    HH-RLHF dialogues give a prompt of chat messages: all turns before the last, where those agree.
    A header that repeats the speaker before it (`"\n\nAssistant: ...\n\nAssistant: ..."`) is taken
    for text of that speaker's turn, so that turns alternate; text before the first header is a
    system message. A response is the rest of the dialogue as it stands, without the one blank
    behind `Assistant:`; where the dialogues fork earlier, later headers stay in it as text.

    Other texts give a prompt of plain text: the longest common beginning, cut back to the last
    whitespace in it, so that prompt + response is the text given.

    Args:
        chosen: The whole text with the better response.
        rejected: The whole text with the worse one.

    Returns:
        The fork.

    Raises:
        BadValueError: The texts share no beginning that could be a prompt.
    """
    dialogues = _parse(chosen), _parse(rejected)
    good, bad = dialogues
    if good is None and bad is None:
        return _fork_of_plain_texts(chosen, rejected)
    if good is None or bad is None:
        one, other = ("rejected", "chosen") if good is None else ("chosen", "rejected")
        raise BadValueError(
            f"a Human/Assistant dialogue in {one} and none in {other}", "dialogues in both"
        )
    turn = forking_turn(good.messages, bad.messages)
    return Fork(good.messages[:turn], good.tail(turn), bad.tail(turn))


def response_content(messages: ChatMessages) -> Response:
    r"""A response given as chat messages, as one text, with pictures where they show some.

    Args:
        messages: The turns, the assistant's first.

    Returns:
        The first turn as it is, each further one as `"\n\nHuman: ..."` or `"\n\nAssistant: ..."`.

    Raises:
        BadValueError: The first turn is not the assistant's, or has a place for a picture.
    """
    if role_of(messages[0]) != "assistant":
        raise BadValueError(
            f"a response that begins with the turn of {role_of(messages[0])!r}",
            "the assistant's turn",
        )
    return _rendered(messages)


def _parse(text: str) -> _Dialogue | None:
    headers = list(_HEADER.finditer(text))
    turns = [h for n, h in enumerate(headers) if n == 0 or h[1] != headers[n - 1][1]]
    if len(turns) < 2:
        return None
    starts = [h.end() + text.startswith(" ", h.end()) for h in turns]
    ends = [h.start() for h in turns[1:]] + [len(text)]
    messages = [
        {"role": _ROLE_OF[header[1]], "content": text[start:end]}
        for header, start, end in zip(turns, starts, ends, strict=True)
    ]
    before = text[: turns[0].start()]
    if before.strip():
        messages.insert(0, {"role": "system", "content": before})
        starts.insert(0, 0)
    return _Dialogue(text, messages, tuple(starts))


def forking_turn(chosen: ChatMessages, rejected: ChatMessages) -> int:
    """The last turn at which both go on with the assistant after the same turns before it.

    Args:
        chosen: The whole conversation with the better response.
        rejected: The whole conversation with the worse one.

    Returns:
        The number of turns that are the prompt.

    Raises:
        BadValueError: No turn is shared, or the assistant's turn is not next after those shared.
    """
    shared = 0
    for one, other in zip(chosen[:-1], rejected[:-1], strict=False):
        if _plain(one) != _plain(other):
            break
        shared += 1
    for turn in range(shared, 0, -1):
        if role_of(chosen[turn]) == role_of(rejected[turn]) == "assistant":
            return turn
    if shared == 0:
        raise BadValueError("dialogues that differ from their first turn on", _AN_EARLIER_FORK)
    raise BadValueError(
        f"dialogues that share {shared} turns and do not both go on with the assistant",
        _AN_EARLIER_FORK,
    )


def _fork_of_plain_texts(chosen: str, rejected: str) -> Fork:
    shared = os.path.commonprefix([chosen, rejected])  # noqa: RUF071 - characters are meant
    last_word = re.search(r"\S*\Z", shared)
    cut = last_word.start() if last_word else 0
    if not shared[:cut].strip():
        raise BadValueError(
            "no prompt column, and chosen and rejected that begin with different words",
            "a prompt column, or a common beginning that is the prompt",
        )
    if chosen == rejected:
        raise BadValueError(
            "no prompt column, and the same text as chosen and rejected",
            "a prompt column, or texts that differ after the prompt",
        )
    return Fork(chosen[:cut], chosen[cut:], rejected[cut:])


def role_of(turn: Mapping[str, object] | Message) -> str:
    """Whose turn it is."""
    return turn.role if isinstance(turn, Message) else str(turn["role"])


def _plain(turn: Mapping[str, object] | Message) -> tuple[str, object]:
    return role_of(turn), turn.content if isinstance(turn, Message) else turn["content"]


def _rendered(turns: ChatMessages) -> Response:
    parts = [_said(turns[0])]
    for turn in turns[1:]:
        parts += [f"\n\n{_NAME_OF[role_of(turn)]}: ", _said(turn)]
    return joined(*parts)


def _said(turn: Mapping[str, object] | Message) -> Content:
    said = turn.content if isinstance(turn, Message) else content_of(turn)
    if said is None:
        raise BadValueError(
            "a place for an image in a response",
            "places in the prompt only; a response shows images that it names itself",
        )
    return said
