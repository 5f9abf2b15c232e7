"""Prompt and response in one text, as trainers send them: a chat template's text, or plain text."""

from __future__ import annotations

import re

from headwise.content.turns import Message
from headwise.errors import InputError
from headwise.server.reading import Judged

_ROLES = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "model": "assistant",
    "human": "user",
}
# ChatML (Qwen, SmolLM), Llama 3, Gemma: what opens a turn, with its role, and what closes it.
_STYLES = (
    (re.compile(r"<\|im_start\|>\s*(\w+)\n"), "<|im_end|>"),
    (re.compile(r"<\|start_header_id\|>\s*(\w+)\s*<\|end_header_id\|>\n*"), "<|eot_id|>"),
    (re.compile(r"<start_of_turn>\s*(\w+)\n"), "<end_of_turn>"),
)
_ENDS = (
    *(end for _, end in _STYLES),
    *("<|endoftext|>", "<|end_of_text|>", "<|begin_of_text|>", "<bos>", "<eos>", "<pad>", "<s>"),
    "</s>",
)


def judged_from_text(query: str, prompt: str | None = None) -> Judged:
    """Splits a text into the response and the conversation that it answers.

    Where the text is that of a chat template (ChatML, Llama 3, Gemma), its last turn is the
    response. Otherwise the prompt must be given, and what follows it is the response.

    Args:
        query: Prompt and response.
        prompt: The prompt, with which the query begins; None where it is not known.

    Returns:
        The response and its conversation.

    Raises:
        InputError: The response cannot be told from the prompt, or is empty.
    """
    for opening, end in _STYLES:
        turns = _turns(query, opening, end)
        if turns is None:
            continue
        if len(turns) < 2 or turns[-1].role != "assistant":
            raise InputError(
                "The chat in the text does not end with an assistant's turn after a user's."
            )
        return Judged(turns[:-1], turns[-1].text)
    if prompt is None or not query.startswith(prompt):
        raise InputError(
            "The text is of no chat template that is known (ChatML, Llama 3, Gemma), so the "
            "response cannot be told from the prompt; send the prompt beside it (prompts), with "
            "which the text begins."
        )
    question = without_marks(prompt)
    if not question:
        raise InputError("The prompt is empty.")
    return Judged(question, without_marks(query[len(prompt) :]))


def without_marks(text: str) -> str:
    """A text without the special tokens at its ends, and blanks."""
    changed = True
    text = text.strip()
    while changed:
        before = text
        for mark in _ENDS:
            text = text.removeprefix(mark).removesuffix(mark).strip()
        changed = text != before
    return text


def _turns(query: str, opening: re.Pattern[str], end: str) -> tuple[Message, ...] | None:
    found = list(opening.finditer(query))
    if not found:
        return None
    turns = []
    for number, match in enumerate(found):
        stop = found[number + 1].start() if number + 1 < len(found) else len(query)
        text = without_marks(query[match.end() : stop].partition(end)[0])
        role = _ROLES.get(match[1])
        if role is None:
            raise InputError(f"The chat in the text has a turn of the unknown role {match[1]!r}.")
        # A template may open with a system turn that says nothing.
        if text or role != "system":
            turns.append(Message(role, text))  # type: ignore[arg-type]
    return tuple(turns)
