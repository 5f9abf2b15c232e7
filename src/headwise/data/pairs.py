"""Preference pairs from facts: plain ones, and ones whose wrong answer is dressed up.

A judge that goes by how probable or pleasing a text is falls for the dressed-up wrong answer; one
that goes by what is true does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from headwise.data.demo import Fact, load_capitals, read_json
from headwise.errors import InputError
from headwise.examples import Preference

Bias = Literal["confident", "lengthy", "flattering"]
"""What makes a wrong answer attractive: certainty, padding, or praise of the asker."""

Style = Literal["plain", "confident", "lengthy", "flattering"]
"""`"plain"`, or the bias that the rejected answer carries."""

BIASES: tuple[Bias, ...] = get_args(Bias)
"""All biases."""


@dataclass(frozen=True, slots=True)
class _Dose:
    """How many phrases go before and after the answer."""

    before: int
    after: int


_SHORT = {1: _Dose(1, 0), 2: _Dose(1, 1), 3: _Dose(1, 2)}
_DOSES: Mapping[Bias, Mapping[int, _Dose]] = {
    "confident": _SHORT,
    "lengthy": {1: _Dose(0, 2), 2: _Dose(1, 3), 3: _Dose(1, 6)},
    "flattering": _SHORT,
}

STRENGTHS: tuple[int, ...] = tuple(_SHORT)
"""Strengths of a bias, weakest first."""


def plain_preferences(facts: Iterable[Fact]) -> tuple[Preference, ...]:
    """Pairs of the plain right and the plain wrong answer.

    Args:
        facts: The facts.

    Returns:
        One pair a fact, in order, with the fact's id.
    """
    return tuple(
        Preference(fact.question, fact.right, fact.wrong, split="plain", id=fact.id)
        for fact in facts
    )


def biased_preferences(
    facts: Iterable[Fact], bias: Bias, strength: int = 2
) -> tuple[Preference, ...]:
    """Pairs of the plain right answer and a wrong answer that carries a bias.

    Which phrases dress up an answer depends on the fact's id and the bias alone, so the same call
    always gives the same pairs and a stronger bias keeps the phrases of a weaker one.

    Args:
        facts: The facts.
        bias: `"confident"`, `"lengthy"` or `"flattering"`.
        strength: 1, 2 or 3: how many phrases dress up the wrong answer.

    Returns:
        One pair a fact, in order; `split` is the bias, and ids are `"<fact id>:<bias>"`.

    Raises:
        InputError: The bias or the strength is unknown.
    """
    if bias not in BIASES:
        raise InputError(f"A bias is one of {BIASES}; got {bias!r}.")
    if strength not in STRENGTHS:
        raise InputError(f"A strength is one of {STRENGTHS}; got {strength!r}.")
    phrases = read_json("biases.json")[bias]
    dose = _DOSES[bias][strength]
    return tuple(
        Preference(
            fact.question,
            fact.right,
            _dressed(fact, phrases, dose),
            split=bias,
            id=f"{fact.id}:{bias}",
        )
        for fact in facts
    )


def capital_preferences(style: Style = "plain") -> tuple[Preference, ...]:
    """Pairs that ask for the capital of each country of `load_capitals`.

    Args:
        style: `"plain"`, or the bias of the rejected answers.

    Returns:
        One pair a country.

    Raises:
        InputError: The style is unknown.
    """
    if style not in get_args(Style):
        raise InputError(f"A style is one of {get_args(Style)}; got {style!r}.")
    if style == "plain":
        return plain_preferences(load_capitals())
    return biased_preferences(load_capitals(), style)


def _dressed(fact: Fact, phrases: Mapping[str, Sequence[str]], dose: _Dose) -> str:
    before = _drawn(phrases["before"], dose.before, fact.id)
    after = _drawn(phrases["after"], dose.after, fact.id)
    return " ".join([*before, fact.wrong, *after])


def _drawn(phrases: Sequence[str], count: int, key: str) -> list[str]:
    # Hashes rather than `random`: the draw then stays the same on every Python and platform.
    def rank(phrase: str) -> bytes:
        return hashlib.sha256(f"{key}\x1f{phrase}".encode()).digest()

    return sorted(phrases, key=rank)[:count]
