"""Conversations to token ids: chat template, continuations, truncation, injected special tokens."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from transformers import PreTrainedTokenizerBase

from headwise.content import Image, parts_of
from headwise.engines.base import TruncatedText
from headwise.engines.transformers.picture_reader import PictureReader
from headwise.engines.transformers.pictures import Picture
from headwise.engines.transformers.rendering import Turn, plain_turns, template_text
from headwise.errors import EngineError, InputError
from headwise.prompts.conversation import Conversation

_BOUNDARY_CHARACTERS = 64
_ZERO_WIDTH_SPACE = "\u200b"
_CUT = " [...] "
_CUT_CHARACTER = "\ufffd"
# Marks that a processor puts around the tiles of a picture, and tokenizers may not call special.
_TILE_MARK = re.compile(r"<row_\d+_col_\d+>|<global-img>")


class PromptEncoder:
    """Turns conversations into token ids with a model's own tokenizer, which it leaves as it is.

    Text of a conversation can never become a special token: where it spells one, a zero-width
    space is put into it, so that a response cannot close its own turn and open another.

    Args:
        tokenizer: The model's tokenizer.
        chat_template: Keyword arguments for the chat template, such as `enable_thinking=False`.
        reader: The model's processor; None where it is shown no pictures.
        no_images: What is said of a picture that there is no reader for.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        chat_template: dict[str, Any] | None = None,
        reader: PictureReader | None = None,
        no_images: str = "The model reads text only, and was given an image.",
    ) -> None:
        self.tokenizer = tokenizer
        self._reader = reader
        self._no_images = no_images
        own = None if reader is None else getattr(reader.processor, "chat_template", None)
        if isinstance(own, dict):  # Several, by name.
            own = own.get("default")
        self._template = own or tokenizer.chat_template
        self.has_chat_template = bool(self._template)
        self._template_arguments = dict(chat_template or {})
        spelled = sorted(_spellings(tokenizer, reader), key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, spelled))) if spelled else None
        self.continuation = lru_cache(maxsize=65_536)(self._continuation)

    @property
    def template_hash(self) -> str:
        """Hash of the chat template, or of the plain form used where there is none."""
        template = self._template or "headwise plain turns, version 1"
        return hashlib.sha256(str(template).encode()).hexdigest()[:16]

    def render(self, conversation: Conversation) -> str:
        """The text whose tokens the model sees; what stands for pictures is in it."""
        return self._shown(conversation)[0]

    def _shown(self, conversation: Conversation) -> tuple[str, list[Picture]]:
        images = conversation.images
        if self._reader is None:
            if images:
                raise InputError(self._no_images)
            return self._with_placeholders(conversation), []
        pictures = self._reader.pictures(images)
        return self._reader.expanded(self._with_placeholders(conversation), pictures), pictures

    def _with_placeholders(self, conversation: Conversation) -> str:
        reader = self._reader
        raw = "" if reader is None else reader.raw_placeholder
        if conversation.text is not None:
            return "".join(
                raw if isinstance(part, Image) else self.neutralise(part)
                for part in parts_of(conversation.text)
            )
        if not self.has_chat_template:
            return plain_turns(conversation, raw, self.neutralise)
        placeholder = None if reader is None else reader.placeholder
        text = template_text(conversation, self._apply_template, placeholder, self.neutralise)
        return text + self.neutralise(conversation.prefill)

    def _apply_template(self, turns: list[Turn]) -> str:
        # A processor's own method reads pictures and videos as well; the template is the same.
        given = {} if self._reader is None else {"chat_template": self._template}
        return str(
            self.tokenizer.apply_chat_template(
                turns,
                tokenize=False,
                add_generation_prompt=True,
                **{**given, **self._template_arguments},
            )
        )

    def encode(self, conversation: Conversation) -> list[int]:
        """Token ids of a conversation, ending where the model is to continue.

        Tokens of pictures are `PictureToken`s.
        """
        text, pictures = self._shown(conversation)
        bare = self._adds_special_tokens(conversation, text)
        ids = list(self.tokenizer(text, add_special_tokens=bare)["input_ids"])
        if not ids:
            raise InputError("A conversation has no tokens; give it some text.")
        return ids if self._reader is None else self._reader.woven(ids, pictures)

    def _adds_special_tokens(self, conversation: Conversation, text: str) -> bool:
        if conversation.text is not None or not self.has_chat_template:
            return True
        # A chat template writes the beginning-of-sequence token itself, but those of processors
        # rely on the tokenizer for it where they don't.
        start = self.tokenizer.bos_token
        return self._reader is not None and not (start and text.startswith(str(start)))

    def encode_target(self, conversation: Conversation, target: str) -> tuple[int, ...]:
        """Token ids of a continuation as they follow this conversation; see `encode_targets`."""
        return self.encode_targets(conversation, [target])[0]

    def encode_targets(
        self, conversation: Conversation, targets: Iterable[str]
    ) -> list[tuple[int, ...]]:
        """Token ids of continuations as they follow one conversation, which is rendered once.

        Raises:
            InputError: A continuation is empty, or spells the token that stands for images.
        """
        tail = self.render(conversation)[-_BOUNDARY_CHARACTERS:]
        return [self.continuation(tail, target) for target in targets]

    def _continuation(self, tail: str, target: str) -> tuple[int, ...]:
        if not target:
            raise InputError("A candidate or target is empty; it needs at least one character.")
        before = self._plain_ids(tail)
        joined = self._plain_ids(tail + target)
        # Where the target's first characters merge with the tail, the model would have to take
        # back a token; then the target is tokenized on its own.
        fits = joined[: len(before)] == before and len(joined) > len(before)
        ids = joined[len(before) :] if fits else self._plain_ids(target)
        if self._reader is not None and self._reader.image_token_id in ids:
            raise InputError(
                f"The candidate or target {target!r} spells the token that stands for images."
            )
        return tuple(ids)

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


def _spellings(tokenizer: PreTrainedTokenizerBase, reader: PictureReader | None) -> set[str]:
    """Every text that would be put to a token with a meaning of its own."""
    added = list(tokenizer.added_tokens_decoder.values())
    spelled = {*tokenizer.all_special_tokens, *(str(t) for t in added if t.special)}
    if reader is not None:
        spelled |= {str(t) for t in added if _TILE_MARK.fullmatch(str(t))}
        own = vars(reader.processor).items()
        spelled |= {text for name, text in own if name.endswith("_token") and isinstance(text, str)}
    return spelled - {""}
