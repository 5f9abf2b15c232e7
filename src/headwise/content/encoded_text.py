"""Pictures written as text: data URLs and Base64. Links are refused: nothing opens them."""

from __future__ import annotations

import base64
import binascii
import re

from headwise.errors import InputError, shortened

_PORTABLE_MAP = re.compile(rb"P[1-6]\s+[#0-9]")
# Shorter ones are the names of files.
_SHORTEST_BASE64 = 64


def bytes_in_text(text: str, subject: str = "The image") -> bytes | None:
    """The bytes of a picture that a text holds.

    Args:
        text: A data URL, Base64 text, or the path of a file.
        subject: How errors begin.

    Returns:
        The bytes; None where the text is a path.

    Raises:
        InputError: It is a link, or a data URL that is not Base64.
    """
    if text[:5].lower() == "data:":
        head, comma, body = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise InputError(
                f"{subject} is a data URL that is not Base64: {shortened(head)}; "
                "expected data:image/png;base64,..."
            )
        try:
            return base64.b64decode("".join(body.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError(f"{subject} is not valid Base64: {error}.") from error
    if "://" in text[:16]:
        raise InputError(
            f"{subject} is a link ({shortened(text)}); headwise opens none. Download "
            "it and give the file, or give the image itself as a data URL."
        )
    return _bare_base64(text)


def is_picture(head: bytes) -> bool:
    """Whether bytes begin as the files of pictures that can be read do.

    Args:
        head: The first 16 bytes, or more.

    Returns:
        Whether they do; what follows may still be damaged.
    """
    return (
        head.startswith(
            (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"II+\0")
        )
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        # Bytes 6 to 9 are reserved; two letters alone begin many a text.
        or (head[:2] == b"BM" and head[6:10] == bytes(4))
        or _PORTABLE_MAP.match(head) is not None
    )


def _bare_base64(text: str) -> bytes | None:
    if len(text) < _SHORTEST_BASE64:
        return None
    try:
        # A long text that is no picture is not decoded whole.
        if not is_picture(base64.b64decode(text[:_SHORTEST_BASE64], validate=True)):
            return None
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
