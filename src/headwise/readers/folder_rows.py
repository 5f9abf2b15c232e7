"""A folder of pictures -> raw rows: a folder in it is a class, the files in that its examples."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headwise.content.encoded_text import is_picture
from headwise.errors import InputError
from headwise.readers.result import RawRow

# Named as pictures, so that one which is none is a bad row and not another file.
PICTURE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"),
    *(".heic", ".heif", ".avif", ".svg"),
)
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class FolderScan:
    """What a folder of pictures holds.

    Args:
        rows: A row for each picture: `image`, its path, and `label`, the folder it is in; those in
            no folder of their own have no label. Sorted by class and path.
        others: Files that are passed over: hidden ones, and those that are no pictures.
    """

    rows: tuple[RawRow, ...]
    others: tuple[Path, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence on what was passed over; none where nothing was."""
        if not self.others:
            return ()
        names = ", ".join(str(path) for path in self.others[:_SHOWN])
        more = ", ..." if len(self.others) > _SHOWN else ""
        return (
            f"{len(self.others)} files were passed over, which are hidden or no pictures: "
            f"{names}{more}.",
        )


def scan_folder(folder: Path) -> FolderScan:
    """Looks through a folder of pictures.

    Args:
        folder: The folder; each folder in it is a class, with everything below that.

    Returns:
        Its pictures and its other files.

    Raises:
        InputError: It holds no picture, or a class has none.
        OSError: It cannot be read.
    """
    rows: list[RawRow] = []
    others: list[Path] = []
    loose: list[Path] = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            others.append(entry)
        elif entry.is_dir():
            found = _pictures(_files_below(entry), others)
            if not found:
                raise InputError(
                    f"The class {entry.name!r} is empty: there is no picture in {entry}. Put "
                    "pictures in it, or remove the folder."
                )
            rows += [_row(path, entry.name) for path in found]
        else:
            loose.append(entry)
    rows += [_row(path, None) for path in _pictures(loose, others)]
    if not rows:
        raise InputError(
            f"'{folder}' is a folder without pictures. Give a folder with a folder of pictures for "
            "each class (photos/cat/1.jpg), or a file. For a dataset of the Hugging Face Hub that "
            "has the same name, add its split: ORG/NAME:SPLIT."
        )
    return FolderScan(tuple(rows), tuple(others))


def picture_row(path: Path) -> RawRow:
    """The one row of a picture that is given in place of a file of rows."""
    return _row(path, None)


def begins_as_picture(path: Path) -> bool:
    """Whether a file is a picture by its first bytes, whatever it is called."""
    with path.open("rb") as file:
        return is_picture(file.read(16))


def _row(path: Path, label: str | None) -> RawRow:
    values = {"image": str(path)}
    return RawRow(str(path), values if label is None else {**values, "label": label})


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            yield Path(parent) / name


def _pictures(files: Iterator[Path] | list[Path], others: list[Path]) -> list[Path]:
    found = []
    for path in files:
        if path.name.startswith(".") or not (
            path.suffix.lower() in PICTURE_SUFFIXES or (path.is_file() and begins_as_picture(path))
        ):
            others.append(path)
        else:
            found.append(path)
    return found
