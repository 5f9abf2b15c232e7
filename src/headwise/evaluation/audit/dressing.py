"""What a bias adds around an answer, and something neutral of exactly the same length."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from headwise.data.demo import read_json
from headwise.errors import InputError
from headwise.evaluation.audit.biases import AuditBias
from headwise.evaluation.audit.neutral import (
    Size,
    neutral_sentence,
    neutral_text,
    neutral_text_as_long,
)

_DRAWS = 20
_YEARS = (1961, 2022)
_PAGES = (11, 480)
_WORDS_OF_A_LIST = 3
# Phrases before and after the answer, by strength.
_SHORT: Mapping[int, tuple[int, int]] = {1: (1, 0), 2: (1, 1), 3: (1, 2)}
_LONG: Mapping[int, tuple[int, int]] = {1: (0, 2), 2: (1, 3), 3: (1, 6)}
_PHRASES: Mapping[AuditBias, tuple[str, str]] = {
    "length": ("biases.json", "lengthy"),
    "confidence": ("biases.json", "confident"),
    "flattery": ("biases.json", "flattering"),
    "positivity": ("audit.json", "positivity"),
    "authority": ("audit.json", "authority"),
    "sycophancy": ("audit.json", "sycophancy"),
}


@dataclass(frozen=True, slots=True)
class Dressing:
    """What stands around an answer.

    Args:
        before: What comes before it, with the blank that follows.
        after: What comes after it, with the blank before.
    """

    before: str = ""
    after: str = ""

    def on(self, answer: str) -> str:
        """An answer in it."""
        return f"{self.before}{answer}{self.after}"

    @property
    def size(self) -> Size:
        """What it adds to an answer."""
        # A word in the middle, since marks on both sides would be one word without it.
        return Size.of(self.on("x")) - Size(1, 1)


@dataclass(frozen=True, slots=True)
class DressingPair:
    """A biased dressing with the neutral one that plain answers have in its place.

    Args:
        biased: The one that carries the bias.
        neutral: As long as the other, in words and in characters.
    """

    biased: Dressing
    neutral: Dressing


def dressings(
    bias: AuditBias, strength: int, question: str, rng: np.random.Generator
) -> DressingPair:
    """Draws the dressings of one item.

    Args:
        bias: The bias; not `"position"` and not `"usual"`, which dress up nothing.
        strength: 1, 2 or 3.
        question: What is asked.
        rng: Where chance comes from.

    Returns:
        The pair. For `"length"` the neutral one is empty, since length is what it measures; for
        every other bias it has exactly as many characters, and as many words wherever the question
        is in a language that has blanks between words.

    Raises:
        InputError: Nothing of that length could be found, which only very odd questions lead to.
    """
    if bias == "length":
        return DressingPair(_drawn(bias, strength, question, rng), Dressing())
    biased = Dressing()
    for _ in range(_DRAWS):
        biased = _drawn(bias, strength, question, rng)
        neutral = _neutral(biased, rng, exact=True)
        if neutral is not None:
            return DressingPair(biased, neutral)
    neutral = _neutral(biased, rng, exact=False)
    if neutral is None:
        raise InputError(
            f"No neutral text is as long as what {bias!r} adds to the answer to {question[:60]!r}. "
            "Leave that row or that bias out."
        )
    return DressingPair(biased, neutral)


def belief(answer: str, strength: int, rng: np.random.Generator) -> str:
    """What a user says who believes an answer, the more firmly the stronger the bias."""
    texts = _texts("audit.json")["sycophancy"]["beliefs"][str(strength)]
    return f"{texts[int(rng.integers(len(texts)))]} {answer}"


def usual_phrases(count: int, rng: np.random.Generator) -> str:
    """Sentences that call an answer usual; empty for none."""
    return " ".join(_sample(_texts("audit.json")["usual"], count, rng))


@cache
def _texts(file: str) -> Any:
    return read_json(file)


def _drawn(bias: AuditBias, strength: int, question: str, rng: np.random.Generator) -> Dressing:
    if bias == "formatting":
        return _formatted(strength, rng)
    if bias == "keywords":
        return Dressing(after="".join(f" {_keyword_list(question, rng)}" for _ in range(strength)))
    file, name = _PHRASES[bias]
    phrases = _texts(file)[name]
    n_before, n_after = (_LONG if bias == "length" else _SHORT)[strength]
    before = [_filled(text, rng) for text in _sample(phrases["before"], n_before, rng)]
    after = [_filled(text, rng) for text in _sample(phrases["after"], n_after, rng)]
    return Dressing("".join(f"{text} " for text in before), "".join(f" {text}" for text in after))


def _formatted(strength: int, rng: np.random.Generator) -> Dressing:
    """Bold type and a list, then a heading too, then emoji too; what they say is neutral."""
    looks = _texts("audit.json")["formatting"]
    heading = f"{_sample(looks['headings'], 1, rng)[0]}\n\n" if strength > 1 else ""
    signs = _sample(looks["emoji"], 4, rng) if strength > 2 else [""] * 3
    start = f"{signs[3]} " if strength > 2 else ""
    bullet = ("- ", "* ", "1. ")[int(rng.integers(3))]
    items = [f"{bullet}{f'{sign} ' if sign else ''}{neutral_sentence(rng)}" for sign in signs[:3]]
    shown = items[: 2 if strength == 1 else 3]
    return Dressing(f"{heading}{start}**", "**\n\n" + "\n".join(shown))


def _keyword_list(question: str, rng: np.random.Generator) -> str:
    texts = _texts("audit.json")
    stop_words = set(texts["stop_words"])
    found = [word for word in re.findall(r"[^\W_]+", question) if word.lower() not in stop_words]
    words = list(dict.fromkeys(found)) or [question.strip(" ?!.")]
    drawn = [
        words[place % len(words)]
        for _ in range(-(-_WORDS_OF_A_LIST // len(words)))
        for place in rng.permutation(len(words))
    ]
    lead = _sample(texts["keywords"], 1, rng)[0]
    return str(lead).format(words=", ".join(drawn[:_WORDS_OF_A_LIST]))


def _filled(phrase: str, rng: np.random.Generator) -> str:
    if "{" not in phrase:
        return phrase
    source = _sample(_texts("audit.json")["authority"]["sources"], 1, rng)[0]
    year, page = int(rng.integers(*_YEARS)), int(rng.integers(*_PAGES))
    text = phrase.format(source=source, year=year, page=page)
    return text[0].upper() + text[1:]


def _neutral(biased: Dressing, rng: np.random.Generator, *, exact: bool) -> Dressing | None:
    draw = neutral_text if exact else neutral_text_as_long
    # Marks around the answer are no sentence, so their length is made up for behind it.
    together = not biased.before.endswith(" ") or not exact
    before = "" if together else biased.before
    # The blank before the sentences is not part of them.
    after = biased.size - Size.of(before) - Size(0, 1)
    found_before = draw(Size.of(before) - Size(0, 1), rng) if before else ""
    found_after = draw(after, rng) if after.characters > 0 else ""
    if found_before is None or found_after is None:
        return None
    return Dressing(
        f"{found_before} " if found_before else "", f" {found_after}" if found_after else ""
    )


def _sample(options: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    return [options[place] for place in rng.permutation(len(options))[:count]]
