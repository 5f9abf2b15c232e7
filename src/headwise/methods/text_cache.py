"""Texts that a model wrote, kept so that the same call is not made twice."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from headwise.content import content_key
from headwise.engines.base import Engine, Sampling
from headwise.errors import InputError
from headwise.prompts.conversation import Conversation


@dataclass
class TextCache:
    """Keeps texts in memory, the latest used ones, and all of them in a folder if one is named.

    Args:
        max_items: Texts kept in memory.
        folder: Where texts are kept for later runs, a JSON file each; it is made when needed.
            Nothing is ever deleted there.

    Raises:
        InputError: No text may be kept.
    """

    max_items: int = 4096
    folder: Path | None = None
    _kept: OrderedDict[str, str] = field(default_factory=OrderedDict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.max_items < 1:
            raise InputError(f"max_items is 1 at least; got {self.max_items}.")

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> str | None:
        """The text of a call, if it is kept; see `call_key`.

        Raises:
            OSError: The folder cannot be read.
        """
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        text = self._read(key)
        if text is not None:
            self._keep(key, text)
        return text

    def put(self, key: str, text: str) -> None:
        """Keeps the text of a call.

        Raises:
            OSError: The folder cannot be written.
        """
        self._keep(key, text)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Whole or not at all, whoever else writes there.
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".new")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"text": text}, file)
            os.replace(name, self._path(self.folder, key))

    def _keep(self, key: str, text: str) -> None:
        self._kept[key] = text
        self._kept.move_to_end(key)
        while len(self._kept) > self.max_items:
            self._kept.popitem(last=False)

    def _read(self, key: str) -> str | None:
        if self.folder is None:
            return None
        try:
            value = json.loads(self._path(self.folder, key).read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        text = value.get("text") if isinstance(value, Mapping) else None
        return text if isinstance(text, str) else None

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        return folder / f"{key}.json"


def call_key(engine: Engine, conversation: Conversation, sampling: Sampling) -> str:
    """What is the same for calls that give the same text: model, prompt with images, sampling.

    Args:
        engine: The model.
        conversation: The prompt; images count by what they show.
        sampling: How tokens are picked.

    Returns:
        A hash in hexadecimal.
    """
    turns = [(turn.role, content_key(turn.content)) for turn in conversation.messages]
    text = None if conversation.text is None else content_key(conversation.text)
    parts = [asdict(engine.fingerprint), turns, text, conversation.prefill, asdict(sampling)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
