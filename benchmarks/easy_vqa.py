"""easy-VQA: pictures of one shape with questions, from the package of that name.

Victor Zhou's `easy-vqa` (PyPI, MIT): 64 x 64 pictures of a circle, rectangle or triangle in one of
eight colours. Install it with: pip install --no-deps easy-vqa
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headwise.examples import Example

SHAPES = ("circle", "rectangle", "triangle")
COLORS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
KINDS = ("shape", "color", "is it this shape", "is it this color", "is it not")

_SHAPE = re.compile(rf"\b({'|'.join(SHAPES)})\b")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a picture.

    Args:
        picture: The picture's file.
        text: The question.
        answer: Its answer, a word.
        kind: One of `KINDS`.
    """

    picture: Path
    text: str
    answer: str
    kind: str

    @property
    def example(self) -> Example:
        """The question as the methods take it, with its answer as label."""
        return Example(self.text, self.answer, images=(self.picture,))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class EasyVqa:
    """Both parts of the data set.

    Args:
        train: Questions about 4,000 pictures.
        test: Questions about 1,000 others.
    """

    train: tuple[Asked, ...]
    test: tuple[Asked, ...]


def easy_vqa() -> EasyVqa:
    """Reads the data set.

    Returns:
        Its questions, each part in the order of the package.

    Raises:
        ModuleNotFoundError: The package is not installed.
    """
    # Its pictures and questions are read, its code is not run.
    spec = importlib.util.find_spec("easy_vqa")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("easy-VQA is missing: pip install --no-deps easy-vqa")
    data = Path(next(iter(spec.submodule_search_locations))) / "data"
    return EasyVqa(_part(data / "train"), _part(data / "test"))


def drawn(
    asked: Sequence[Asked], kind: str, per_answer: int, random: np.random.Generator
) -> list[Asked]:
    """Some questions of a kind, equally many with each answer.

    Args:
        asked: Questions to draw from.
        kind: One of `KINDS`.
        per_answer: How many with each answer.
        random: Where chance comes from.

    Returns:
        The questions, shuffled; about pictures that differ.
    """
    order = random.permutation(len(asked)).tolist()
    taken: dict[str, list[Asked]] = {}
    pictures: set[Path] = set()
    for place in order:
        one = asked[place]
        group = taken.setdefault(one.answer, []) if one.kind == kind else None
        if group is not None and len(group) < per_answer and one.picture not in pictures:
            group.append(one)
            pictures.add(one.picture)
    found = [one for group in taken.values() for one in group]
    return [found[place] for place in random.permutation(len(found)).tolist()]


def kind_of(text: str, answer: str) -> str:
    """What a question asks.

    Args:
        text: The question.
        answer: Its answer.

    Returns:
        One of `KINDS`.
    """
    if answer in SHAPES:
        return "shape"
    if answer in COLORS:
        return "color"
    if re.search(r"\b(not|no)\b", text):
        return "is it not"
    return "is it this shape" if _SHAPE.search(text) else "is it this color"


def _part(folder: Path) -> tuple[Asked, ...]:
    rows = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    return tuple(
        Asked(folder / "images" / f"{number}.png", text, answer, kind_of(text, answer))
        for text, answer, number in rows
    )
