"""Reading the data that ships with headwise, checked as it is read."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from headwise.errors import InputError
from headwise.examples import Example

Row = Mapping[str, str]
"""One JSON object of a data file."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A question with a right and a wrong answer of like length and style.

    Args:
        question: The question.
        right: A full sentence that answers it.
        wrong: A full sentence that answers it wrongly.
        id: A name that no other fact of the set has.

    Raises:
        InputError: A field is empty, or both answers are the same.
    """

    question: str
    right: str
    wrong: str
    id: str

    def __post_init__(self) -> None:
        for name in ("question", "right", "wrong", "id"):
            if not getattr(self, name).strip():
                raise InputError(f"The {name} of a fact is empty (question {self.question!r}).")
        if _folded(self.right) == _folded(self.wrong):
            raise InputError(
                f"The right and the wrong answer to {self.question!r} are the same: "
                f"{self.right!r}. Give a wrong answer that differs."
            )


def load_topics() -> tuple[Example, ...]:
    """250 short support messages of five classes, 50 of each.

    The classes take turns, so the first `5 * n` messages hold `n` of each.

    Returns:
        The messages, labelled.
    """
    return topics_of(read_json("topics.json"))


def load_capitals() -> tuple[Fact, ...]:
    """Countries with their capital (as of 2024) and another city that is not their capital.

    Returns:
        One fact a country; the answers are `"The capital of X is Y."`.
    """
    return capitals_of(read_json("capitals.json"))


def load_facts() -> tuple[Fact, ...]:
    """Common knowledge of many fields, such as animals, the body, space, sums and food.

    Returns:
        One fact a question.
    """
    return facts_of(read_json("facts.json"))


def topics_of(rows: Iterable[Row]) -> tuple[Example, ...]:
    """Labelled examples from rows of `text` and `label`.

    Args:
        rows: The rows.

    Returns:
        The examples in the given order, their ids numbered within each class.

    Raises:
        InputError: A column is missing or empty, or a text occurs twice.
    """
    seen: Counter[str] = Counter()
    examples = []
    for row in rows:
        text, label = _columns(row, "text", "label")
        seen[label] += 1
        examples.append(Example(text, label, id=f"{_slug(label)}-{seen[label]:03d}"))
    _require_distinct((_folded(example.text) for example in examples), "text")
    return tuple(examples)


def capitals_of(rows: Iterable[Row]) -> tuple[Fact, ...]:
    """Facts from rows of `country`, `capital` and `wrong`.

    Args:
        rows: The rows; a country is written as in the middle of a sentence: "the Netherlands".

    Returns:
        The facts in the given order.

    Raises:
        InputError: A column is missing or empty, a country occurs twice, or capital and wrong
            city are the same.
    """
    facts = []
    for row in rows:
        country, capital, wrong = _columns(row, "country", "capital", "wrong")
        facts.append(
            Fact(
                question=f"What is the capital of {country}?",
                right=f"The capital of {country} is {capital}.",
                wrong=f"The capital of {country} is {wrong}.",
                id=f"capital-{_slug(country.removeprefix('the '))}",
            )
        )
    _require_distinct((fact.id for fact in facts), "id")
    return tuple(facts)


def facts_of(rows: Iterable[Row]) -> tuple[Fact, ...]:
    """Facts from rows of `question`, `right` and `wrong`.

    Args:
        rows: The rows.

    Returns:
        The facts in the given order.

    Raises:
        InputError: A column is missing or empty, a question occurs twice, or right and wrong
            answer are the same.
    """
    facts = []
    for row in rows:
        question, right, wrong = _columns(row, "question", "right", "wrong")
        facts.append(Fact(question, right, wrong, f"fact-{_slug(question)}"))
    _require_distinct((fact.id for fact in facts), "id")
    return tuple(facts)


def read_json(name: str) -> Any:
    """The content of one JSON file of this package.

    Args:
        name: The file's name, such as `"facts.json"`.

    Returns:
        The parsed content.
    """
    return json.loads(resources.files("headwise.data").joinpath(name).read_text("utf-8"))


def _columns(row: Row, *names: str) -> list[str]:
    missing = [name for name in names if name not in row]
    if missing:
        raise InputError(f"A row lacks {missing}; it needs {list(names)} and has {sorted(row)}.")
    empty = [name for name in names if not row[name].strip()]
    if empty:
        raise InputError(f"{empty} of a row are empty: {dict(row)}. Fill them in or drop the row.")
    return [row[name] for name in names]


def _require_distinct(keys: Iterable[str], what: str) -> None:
    repeated = [key for key, count in Counter(keys).items() if count > 1]
    if repeated:
        raise InputError(f"Each {what} may occur once; repeated: {repeated[:3]}. Drop the repeats.")


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
