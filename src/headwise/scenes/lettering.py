"""Letters of three by five pixels, so that a label is the same on every machine and Pillow."""

from __future__ import annotations

from headwise.errors import InputError
from headwise.scenes.vocabulary import MOST_LETTERS

_GLYPHS = {
    "A": "010 101 111 101 101",
    "B": "110 101 110 101 110",
    "C": "011 100 100 100 011",
    "D": "110 101 101 101 110",
    "E": "111 100 110 100 111",
    "F": "111 100 110 100 100",
    "G": "011 100 101 101 011",
    "H": "101 101 111 101 101",
    "I": "111 010 010 010 111",
    "J": "001 001 001 101 010",
    "K": "101 101 110 101 101",
    "L": "100 100 100 100 111",
    "M": "10001 11011 10101 10001 10001",
    "N": "1001 1101 1011 1001 1001",
    "O": "010 101 101 101 010",
    "P": "110 101 110 100 100",
    "Q": "0110 1001 1001 1011 0111",
    "R": "1110 1001 1110 1010 1001",
    "S": "011 100 010 001 110",
    "T": "111 010 010 010 010",
    "U": "101 101 101 101 111",
    "V": "101 101 101 101 010",
    "W": "10001 10001 10101 10101 01010",
    "X": "101 101 010 101 101",
    "Y": "101 101 010 010 010",
    "Z": "111 001 010 100 111",
    "0": "111 101 101 101 111",
    "1": "010 110 010 010 111",
    "2": "110 001 010 100 111",
    "3": "111 001 011 001 111",
    "4": "101 101 111 001 001",
    "5": "111 100 110 001 110",
    "6": "011 100 111 101 111",
    "7": "111 001 001 010 010",
    "8": "111 101 111 101 111",
    "9": "111 101 111 001 110",
}
_ROWS = 5
PIXEL = 1 / 64
"""The side of a pixel of a letter, as a share of the image."""

LETTER_HEIGHT = _ROWS * PIXEL
"""The height of a letter, as a share of the image."""


def check_label(text: str) -> None:
    """Checks that a label can be written.

    Args:
        text: The label.

    Raises:
        InputError: It is empty or too long, or holds something else than A to Z and 0 to 9.
    """
    if not 1 <= len(text) <= MOST_LETTERS or not set(text) <= set(_GLYPHS):
        raise InputError(
            f"A label is 1 to {MOST_LETTERS} of the letters A to Z and the digits 0 to 9; got "
            f"{text!r}. Write it in capitals, or shorten it."
        )


def label_width(text: str) -> float:
    """The width of a label, as a share of the image."""
    return (sum(_GLYPHS[letter].index(" ") for letter in text) + len(text) - 1) * PIXEL


def pixel_rows(text: str) -> tuple[str, ...]:
    """A label as five rows of `"0"` (nothing) and `"1"` (ink), top first."""
    letters = [_GLYPHS[letter].split() for letter in text]
    return tuple("0".join(letter[row] for letter in letters) for row in range(_ROWS))
