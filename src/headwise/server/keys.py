"""API keys: from the environment or a file, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path

from headwise.errors import InputError

KEYS_VARIABLE = "HEADWISE_API_KEYS"
_SHORTEST = 8


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that are valid, as hashes.

    Args:
        digests: SHA-256 of each; none where no key is needed.
    """

    digests: tuple[bytes, ...] = ()

    @classmethod
    def read(cls, file: Path | None = None) -> Keys:
        """Reads keys.

        Args:
            file: A file with a key on each line; where None, `$HEADWISE_API_KEYS`, separated by
                commas.

        Returns:
            The keys.

        Raises:
            InputError: The file cannot be read or has none, or a key is too short.
        """
        if file is None:
            found = os.environ.get(KEYS_VARIABLE, "").split(",")
        else:
            try:
                found = file.read_text("utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"The file of API keys {file} cannot be read.") from error
        keys = [key.strip() for key in found if key.strip()]
        if file is not None and not keys:
            raise InputError(f"The file of API keys {file} has no key; put one on each line.")
        if any(len(key) < _SHORTEST for key in keys):
            raise InputError(f"An API key has {_SHORTEST} characters at least.")
        return cls(tuple(_digest(key.encode()) for key in keys))

    @property
    def are_needed(self) -> bool:
        """Whether a request needs a key."""
        return bool(self.digests)

    def accept(self, authorization: bytes) -> bool:
        """Whether a header `Authorization: Bearer KEY` has a valid key.

        Every key is compared, whole, so that the time says nothing.
        """
        scheme, _, key = authorization.partition(b" ")
        given = _digest(key.strip())
        matches = [hmac.compare_digest(given, digest) for digest in self.digests]
        return any(matches) and scheme.lower() == b"bearer"


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
