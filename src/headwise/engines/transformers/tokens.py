"""Conversations to token ids: chat template, continuations, truncation, injected special tokens."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Any

from transformers import PreTrainedTokenizerBase

from headwise.engines.base import TruncatedText
from headwise.errors import EngineError, InputError
from headwise.prompts.conversation import Conversation

_BOUNDARY_CHARACTERS = 64
_ZERO_WIDTH_SPACE = "\u200b"
_CUT = " [...] "
_CUT_CHARACTER = "\ufffd"
_ROLE_TITLES = {"system": "System", "user": "User", "assistant": "Assistant"}


class PromptEncoder:
    """Turns conversations into token ids with a model's own tokenizer, which it leaves as it is.

    Text of a conversation can never become a special token: where it spells one, a zero-width
    space is put into it, so that a response cannot close its own turn and open another.

    Args:
        tokenizer: The model's tokenizer.
        chat_template: Keyword arguments for the chat template, such as `enable_thinking=False`.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, chat_template: dict[str, Any] | None = None
    ) -> None:
        self.tokenizer = tokenizer
        self.has_chat_template = bool(tokenizer.chat_template)
        self._template_arguments = dict(chat_template or {})
        special = sorted(set(tokenizer.all_special_tokens), key=len, reverse=True)
        added = [str(t) for t in tokenizer.added_tokens_decoder.values() if t.special]
        spelled = sorted({*special, *added} - {""}, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, spelled))) if spelled else None
        self.continuation = lru_cache(maxsize=65_536)(self._continuation)

    @property
    def template_hash(self) -> str:
        """Hash of the chat template, or of the plain form used where there is none."""
        template = self.tokenizer.chat_template or "headwise plain turns, version 1"
        return hashlib.sha256(str(template).encode()).hexdigest()[:16]

    def render(self, conversation: Conversation) -> str:
        """The text whose tokens the model sees."""
        if conversation.text is not None:
            return self.neutralise(conversation.text)
        turns = [
            {"role": turn.role, "content": self.neutralise(turn.content)}
            for turn in conversation.messages
        ]
        prefill = self.neutralise(conversation.prefill)
        if not self.has_chat_template:
            lines = [f"{_ROLE_TITLES[turn['role']]}: {turn['content']}" for turn in turns]
            return "\n\n".join([*lines, "Assistant:"]) + (f" {prefill}" if prefill else "")
        try:
            text = self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True, **self._template_arguments
            )
        except Exception as error:  # Templates are programs of their own and raise what they like.
            roles = ", ".join(turn["role"] for turn in turns)
            raise InputError(
                f"The model's chat template refused a conversation with the turns {roles}: {error}"
            ) from error
        return str(text) + prefill

    def encode(self, conversation: Conversation) -> list[int]:
        """Token ids of a conversation, ending where the model is to continue."""
        # A chat template writes the beginning-of-sequence token itself.
        bare = conversation.text is not None or not self.has_chat_template
        ids = self.tokenizer(self.render(conversation), add_special_tokens=bare)["input_ids"]
        if not ids:
            raise InputError("A conversation has no tokens; give it some text.")
        return list(ids)

    def encode_target(self, conversation: Conversation, target: str) -> tuple[int, ...]:
        """Token ids of a continuation as they follow this conversation.

        Raises:
            InputError: The continuation is empty.
        """
        tail = self.render(conversation)[-_BOUNDARY_CHARACTERS:]
        return self.continuation(tail, target)

    def _continuation(self, tail: str, target: str) -> tuple[int, ...]:
        if not target:
            raise InputError("A candidate or target is empty; it needs at least one character.")
        before = self._plain_ids(tail)
        joined = self._plain_ids(tail + target)
        # Where the target's first characters merge with the tail, the model would have to take
        # back a token; then the target is tokenized on its own.
        if joined[: len(before)] == before and len(joined) > len(before):
            return tuple(joined[len(before) :])
        return tuple(self._plain_ids(target))

    def _plain_ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def neutralise(self, text: str) -> str:
        """The text with every spelled-out special token broken by a zero-width space."""
        if self._special is None:
            return text
        return self._special.sub(lambda m: m[0][0] + _ZERO_WIDTH_SPACE + m[0][1:], text)

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        """See `Engine.truncate`."""
        if max_tokens < 8:
            raise InputError(f"max_tokens must be 8 at least; got {max_tokens}.")
        if getattr(self.tokenizer, "is_fast", False):
            return self._truncate_by_offsets(text, max_tokens)
        return self._truncate_by_decoding(text, max_tokens)

    def _truncate_by_offsets(self, text: str, max_tokens: int) -> TruncatedText:
        offsets = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )["offset_mapping"]
        n_head = _head_tokens(max_tokens)
        if len(offsets) <= max_tokens:
            return TruncatedText(text, 0)
        head_end, tail_start = offsets[n_head - 1][1], offsets[n_head - max_tokens][0]
        # A character of several tokens is kept whole; one may then reach over the whole gap.
        if head_end >= tail_start:
            return TruncatedText(text, 0)
        kept = text[:head_end] + _CUT + text[tail_start:]
        return TruncatedText(kept, len(offsets) - max_tokens)

    def _truncate_by_decoding(self, text: str, max_tokens: int) -> TruncatedText:
        """For tokenizers written in Python, which do not say where in the text a token is."""
        ids = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        n_head = _head_tokens(max_tokens)
        if len(ids) <= max_tokens:
            return TruncatedText(text, 0)
        pieces = (ids[:n_head], ids[n_head - max_tokens :])
        head, tail = (str(self.tokenizer.decode(piece)) for piece in pieces)
        # A character cut in two decodes to a mark of its own.
        kept = head.rstrip(_CUT_CHARACTER) + _CUT + tail.lstrip(_CUT_CHARACTER)
        return TruncatedText(kept, len(ids) - max_tokens)

    def decode(self, ids: list[int]) -> str:
        """Text of generated tokens, without special tokens."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    @property
    def pad_id(self) -> int:
        """A token id to fill padding with; never seen by any token that counts."""
        for token in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0):
            if token is not None:
                return int(token)
        raise EngineError("The tokenizer has no token at all.")


def _head_tokens(max_tokens: int) -> int:
    """How many of the tokens that are kept are the text's first."""
    return max_tokens * 3 // 4
