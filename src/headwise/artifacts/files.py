"""The three files of an artifact folder, written so that they survive a power cut."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from headwise.artifacts.fields import CONFIG_FILE

WEIGHTS_FILE = "headwise.safetensors"
CARD_FILE = "README.md"
FILES = (CONFIG_FILE, WEIGHTS_FILE, CARD_FILE)


def write_file(path: Path, content: bytes) -> None:
    """Writes a file and waits until it is on the disk.

    Args:
        path: Where; must not be a folder.
        content: Its bytes.

    Raises:
        OSError: The disk is full, or the like.
    """
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Waits until a folder's list of names is on the disk, where the system can tell."""
    # Windows cannot open a folder, and some network file systems cannot sync one.
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_artifact(folder: Path) -> None:
    """Removes an artifact's files, and its folder where it holds nothing else."""
    with suppress(OSError):
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
