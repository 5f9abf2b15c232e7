"""Sentences that say nothing, of any length wanted: what a plain answer has in place of a bias.

Without them a bias could not be told from a liking for long answers, since whatever is added to an
answer makes it longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from headwise.data.demo import read_json

_LEAST_WORDS, _MOST_WORDS, _USUAL_WORDS = 3, 16, 9
_ATTEMPTS = 400


@dataclass(frozen=True, slots=True)
class Size:
    """How long a text is.

    Args:
        words: Words, as blanks part them.
        characters: Characters.
    """

    words: int
    characters: int

    @classmethod
    def of(cls, text: str) -> Size:
        """The size of a text."""
        return cls(len(text.split()), len(text))

    def __sub__(self, other: Size) -> Size:
        return Size(self.words - other.words, self.characters - other.characters)


def neutral_text(size: Size, rng: np.random.Generator) -> str | None:
    """Neutral sentences with exactly so many words and characters.

    Args:
        size: The size of all of them together, with the blanks between them.
        rng: Where chance comes from.

    Returns:
        The sentences, or None where no draw came out at that size.
    """
    most = size.words // _LEAST_WORDS
    if most < 1:
        return None
    usual = max(1, round(size.words / _USUAL_WORDS))
    for attempt in range(_ATTEMPTS):
        # Odd sizes are met by more or fewer sentences than usual.
        away = attempt % 5 - 2 if attempt >= _ATTEMPTS // 4 else 0
        count = min(max(usual + away, 1), most)
        found = _drawn(size, count, rng)
        if found is not None:
            return found
    return None


def neutral_text_as_long(size: Size, rng: np.random.Generator) -> str | None:
    """Neutral sentences with exactly so many characters, and as nearly so many words as can be.

    Some scripts have no blanks between words, so that no English sentence has both numbers.

    Args:
        size: The size.
        rng: Where chance comes from.

    Returns:
        The sentences, or None where the characters are too few for any sentence.
    """
    for away in range(max(size.words, size.characters // _LEAST_WORDS)):
        for words in dict.fromkeys((size.words + away, size.words - away)):
            found = neutral_text(Size(words, size.characters), rng) if words > 0 else None
            if found is not None:
                return found
    return None


def neutral_sentence(rng: np.random.Generator) -> str:
    """Any one neutral sentence."""
    sizes = _sentences()
    words = list(sizes)[int(rng.integers(len(sizes)))]
    lengths = sizes[words]
    sentences = list(lengths.values())[int(rng.integers(len(lengths)))]
    return sentences[int(rng.integers(len(sentences)))]


def _drawn(size: Size, count: int, rng: np.random.Generator) -> str | None:
    """Some sentences of a size; the last one is whatever makes it exact, if there is such."""
    sizes = _sentences()
    sentences: list[str] = []
    left = Size(size.words, size.characters - (count - 1))
    for remaining in range(count, 0, -1):
        words = left.words // remaining
        if remaining > 1:
            words += int(rng.integers(-1, 2))
        lengths = sizes.get(words)
        if lengths is None:
            return None
        # Sentences as dense as what is left, so that the last one has a chance.
        wanted = left.characters if remaining == 1 else round(left.characters * words / left.words)
        if remaining > 1:
            wanted = min(lengths, key=lambda length: abs(length - wanted))
        options = lengths.get(wanted)
        if options is None:
            return None
        sentences.append(options[int(rng.integers(len(options)))])
        left = left - Size(words, wanted)
    order = rng.permutation(count)
    return " ".join(sentences[place] for place in order)


@cache
def _sentences() -> Mapping[int, Mapping[int, tuple[str, ...]]]:
    """All neutral sentences, by their words and then by their characters."""
    parts = read_json("audit.json")["neutral"]
    names = ("subjects", "verbs", "objects", "tails")
    found: dict[int, dict[int, list[str]]] = {}
    for subject, verb, thing, tail in product(*(parts[name] for name in names)):
        if (verb, thing) == ("is", "it"):
            continue
        sentence = f"{subject} {verb} {thing}{tail}."
        words = sentence.count(" ") + 1
        if _LEAST_WORDS <= words <= _MOST_WORDS:
            found.setdefault(words, {}).setdefault(len(sentence), []).append(sentence)
    return {
        words: {length: tuple(texts) for length, texts in sorted(lengths.items())}
        for words, lengths in sorted(found.items())
    }
