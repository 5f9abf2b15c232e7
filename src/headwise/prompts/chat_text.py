"""Chats as the text that a template made of them, read back into turns.

Some trainers hand over a prompt and a response as one text with the template's special tokens in
it. Which tokens open and close a turn is data here, one entry a family of templates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from headwise.content.turns import Message, Role
from headwise.errors import InputError, shortened
from headwise.examples import Prompt

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "tool": "user",
    "ipython": "user",
    "assistant": "assistant",
    "model": "assistant",
}
# What opens a turn, with its role, and what closes it. ChatML (Qwen, SmolLM), Llama 3, Gemma, Phi
# and Zephyr, Granite, DeepSeek.
_STYLES = (
    (re.compile(r"<\|im_start\|>(\w+)\n?"), "<|im_end|>"),
    (re.compile(r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\n*"), "<|eot_id|>"),
    (re.compile(r"<start_of_turn>(\w+)\n?"), "<end_of_turn>"),
    (re.compile(r"<\|(system|user|assistant)\|>\n?"), "<|end|>"),
    (re.compile(r"<\|start_of_role\|>(\w+)<\|end_of_role\|>"), "<|end_of_text|>"),
    (re.compile(r"<｜(User|Assistant)｜>"), "<｜end▁of▁sentence｜>"),
)
# Mistral and Llama 2 mark the user's turns only.
_ASKED, _ANSWERED = "[INST]", "[/INST]"
_BEGINNINGS = ("<s>", "<bos>", "<|begin_of_text|>", "<｜begin▁of▁sentence｜>", "<|bos|>")
_ENDS = (
    *(end for _, end in _STYLES),
    *("</s>", "<eos>", "<pad>", "<|endoftext|>", "<|eom_id|>", "<|pad|>", "<|eos|>"),
)


@dataclass(frozen=True, slots=True)
class SplitQuery:
    """A text taken apart.

    Args:
        prompt: The prompt, as turns where a template made it; else as text.
        response: The response, without special tokens at its end.
    """

    prompt: Prompt
    response: str


def split_query(query: str, prompt: str) -> SplitQuery:
    """Takes a prompt's text off the text that begins with it.

    The query may lack the beginning of a prompt that was cut to the model's length, or special
    tokens before it; and blanks may differ, as where a tokenizer does not give back what it took.

    Args:
        query: Prompt and response, with special tokens.
        prompt: The prompt, as the template made it.

    Returns:
        Both.

    Raises:
        InputError: The query does not begin with the prompt.
    """
    bare_query, bare_prompt = without_beginning(query), without_beginning(prompt)
    rest = _rest_after(bare_query, bare_prompt)
    if rest is None:
        raise InputError(
            f"The text {shortened(query)} does not begin with its prompt {shortened(prompt)}, so "
            "the response cannot be told from it. Give both as one tokenizer writes them."
        )
    turns = turns_in(bare_prompt)
    # A line break between the two belongs to neither.
    plain = bare_prompt.rstrip()
    return SplitQuery(plain if turns is None else list(turns), without_end(rest))


def turns_in(text: str) -> tuple[Message, ...] | None:
    """The turns of a chat's text; None where no template that is known made it.

    Args:
        text: The text; an empty turn at its end, where the model is to write, is left out.

    Returns:
        The turns, in order.
    """
    bare = without_beginning(text)
    for opening, end in _STYLES:
        found = _turns(bare, opening, end)
        if found:
            return found
    return _instruction_turns(bare)


def without_beginning(text: str) -> str:
    """The text without special tokens that begin a sequence."""
    at = 0
    while token := next((one for one in _BEGINNINGS if text.startswith(one, at)), None):
        at += len(token)
    return text[at:]


def without_end(text: str) -> str:
    """The text without special tokens that end a turn or a sequence, and blanks around them."""
    end = _before_blanks(text, len(text))
    while token := next((one for one in _ENDS if text.endswith(one, 0, end)), None):
        end = _before_blanks(text, end - len(token))
    return text[:end].strip()


def _before_blanks(text: str, end: int) -> int:
    while end and text[end - 1].isspace():
        end -= 1
    return end


def _instruction_turns(text: str) -> tuple[Message, ...] | None:
    # Looked for in one go, not by an expression: a server reads whatever a client sends.
    turns = []
    at = text.find(_ASKED)
    while at >= 0:
        end = text.find(_ANSWERED, at)
        if end < 0:
            break
        asked = text[at + len(_ASKED) : end].strip()
        at = text.find(_ASKED, end)
        answered = text[end + len(_ANSWERED) : at if at >= 0 else len(text)]
        turns += [Message("user", asked), Message("assistant", without_end(answered))]
    while turns and not turns[-1].text:
        turns.pop()
    return tuple(turns) or None


def _turns(text: str, opening: re.Pattern[str], end: str) -> tuple[Message, ...] | None:
    openings = list(opening.finditer(text))
    turns = []
    for number, found in enumerate(openings):
        role = _ROLES.get(found[1].lower())
        if role is None:
            return None
        stop = openings[number + 1].start() if number + 1 < len(openings) else len(text)
        said = text[found.end() : stop]
        said = said.partition(end)[0] if end in said else said
        turns.append(Message(role, without_end(said)))
    while turns and not turns[-1].text:
        turns.pop()
    return tuple(turns) or None


def _rest_after(query: str, prompt: str) -> str | None:
    if query.startswith(prompt):
        return query[len(prompt) :]
    after = _after_equal_but_blanks(query, prompt)
    return _after_cut_prompt(query, prompt) if after is None else after


def _after_equal_but_blanks(query: str, prompt: str) -> str | None:
    """What follows the prompt where query and prompt differ in blanks only."""
    at = 0
    for character in prompt:
        if character.isspace():
            continue
        while at < len(query) and query[at].isspace():
            at += 1
        if at == len(query) or query[at] != character:
            return None
        at += 1
    return query[at:]


_FEWEST_CHARACTERS = 16
# A text of one word over and over could begin anywhere in its prompt.
_MOST_PLACES = 1_000


def _after_cut_prompt(query: str, prompt: str) -> str | None:
    """What follows a prompt whose beginning was cut off."""
    head = query[:_FEWEST_CHARACTERS]
    at = prompt.find(head) if len(head) == _FEWEST_CHARACTERS else -1
    for _ in range(_MOST_PLACES):
        if at < 0:
            return None
        if query.startswith(prompt[at:]):
            return query[len(prompt) - at :]
        at = prompt.find(head, at + 1)
    return None
