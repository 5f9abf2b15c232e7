"""Activations that were captured once, kept so that no fold captures them again."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from headwise.content import content_key
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.heads import HeadActivations, HeadLayout, HeadSet
from headwise.prompts.conversation import Conversation

# What is captured at once before it is put away, so that a long list needs no memory for all heads.
_CHUNK_BYTES = 128 * 2**20
_BYTES_OF_FLOAT = 4


@dataclass(eq=False)
class ActivationCache:
    """The activations of all heads for the conversations used last.

    Args:
        most_bytes: Memory they may take.
    """

    most_bytes: int
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _kept: OrderedDict[str, Tensor] = field(default_factory=OrderedDict, repr=False)
    _bytes: int = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> Tensor | None:
        """The activations of a conversation, `(all heads' widths,)` float32, if they are kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: str, row: Tensor) -> None:
        """Keeps a conversation's activations, and drops those used longest ago where it must."""
        if key not in self._kept:
            self._bytes += row.nbytes
            # A view would keep its whole batch alive.
            self._kept[key] = row.clone()
        self.shrink(self.most_bytes)

    def clear(self) -> None:
        """Drops all of them."""
        self._kept.clear()
        self._bytes = 0

    def shrink(self, most_bytes: int) -> None:
        """Sets the bound, and drops those used longest ago that do not fit it."""
        self.most_bytes = most_bytes
        while self._bytes > most_bytes:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes


# By engine, so that activations go when the model goes, and no model gets another's.
_CACHES: WeakKeyDictionary[Engine, ActivationCache] = WeakKeyDictionary()
_CACHES_LOCK = threading.Lock()


def cache_of(engine: Engine, most_bytes: int) -> ActivationCache:
    """The one cache of an engine in this process, with its bound set anew.

    Args:
        engine: A model that stays as it is.
        most_bytes: Memory that the cache may take.

    Returns:
        The cache.

    Raises:
        InputError: The engine is of a kind that cannot be told from others by identity.
    """
    try:
        with _CACHES_LOCK:
            cache = _CACHES.setdefault(engine, ActivationCache(most_bytes))
    except TypeError as error:
        raise InputError(
            f"What a {type(engine).__name__} captured cannot be kept, since it has no hash or no "
            "weak references. Set cache_mib=0."
        ) from error
    with cache.lock:
        cache.shrink(most_bytes)
    return cache


def capture_once(
    engine: Engine,
    conversations: Sequence[Conversation],
    heads: HeadSet | None,
    cache: ActivationCache,
    *,
    progress: bool = False,
) -> HeadActivations:
    """As `Engine.capture`, asking the engine only for what is not kept yet.

    All heads are captured whatever is asked for, since the next fold or setting asks for others.

    Args:
        engine: The frozen model.
        conversations: `n` conversations.
        heads: Only the layers of these heads are returned.
        cache: What this engine gave before.
        progress: Whether to show a progress bar on stderr.

    Returns:
        Activations of `n` conversations.
    """
    whole = engine.layout
    layout = whole if heads is None else whole.restricted_to(heads.layers)
    keys = [conversation_key(conversation) for conversation in conversations]
    rows_of: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        rows_of.setdefault(key, []).append(row)
    values = tuple(torch.empty(len(keys), e.n_heads, e.head_dim) for e in layout.layers)
    spans = _spans(whole, layout)
    with cache.lock:
        missing = []
        for key, rows in rows_of.items():
            kept = cache.get(key)
            if kept is None:
                missing.append(key)
            else:
                _place(values, spans, rows, kept)
        width = sum(entry.n_heads * entry.head_dim for entry in whole.layers)
        step = max(1, _CHUNK_BYTES // (width * _BYTES_OF_FLOAT))
        for start in range(0, len(missing), step):
            chunk = missing[start : start + step]
            asked = [conversations[rows_of[key][0]] for key in chunk]
            found = engine.capture(asked, progress=progress)
            flat = torch.cat([value.flatten(1) for value in found.values], dim=1)
            for key, row in zip(chunk, flat, strict=True):
                _place(values, spans, rows_of[key], row)
                cache.put(key, row)
    return HeadActivations(layout, values)


def conversation_key(conversation: Conversation) -> str:
    """A hash that is the same for conversations that say and show the same, and for no others."""
    turns = [(turn.role, content_key(turn.content)) for turn in conversation.messages]
    text = None if conversation.text is None else content_key(conversation.text)
    return hashlib.sha256(json.dumps([turns, text, conversation.prefill]).encode()).hexdigest()


def _spans(whole: HeadLayout, layout: HeadLayout) -> list[slice]:
    """Where each layer of a layout is in a flat row of all heads."""
    spans, start = {}, 0
    for entry in whole.layers:
        width = entry.n_heads * entry.head_dim
        spans[entry.layer] = slice(start, start + width)
        start += width
    return [spans[entry.layer] for entry in layout.layers]


def _place(
    values: Sequence[Tensor], spans: Sequence[slice], rows: Sequence[int], flat: Tensor
) -> None:
    for value, span in zip(values, spans, strict=True):
        value[list(rows)] = flat[span].view(value.shape[1:])
