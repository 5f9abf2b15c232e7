"""Texts to measure on: support messages of four topics, and prompts of an exact token count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headwise.data import load_topics
from headwise.examples import Example

INSTRUCTION = "Read the customer's message. {text}\nWhat is it about?"
SYSTEM = "You sort the messages that customers send to the support desk of an online shop."
N_CLASSES = 4


@dataclass(frozen=True, slots=True)
class Topics:
    """Labelled messages.

    Args:
        support: The messages that are fitted on, classes taking turns.
        queries: Others.
    """

    support: tuple[Example, ...]
    queries: tuple[Example, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, sorted."""
        return tuple(sorted({str(example.label) for example in self.support}))

    @property
    def labels(self) -> list[int]:
        """Class numbers of the support messages."""
        return [self.classes.index(str(example.label)) for example in self.support]


def topics(shots: int, n_queries: int) -> Topics:
    """Messages of about 40 tokens, like those of ag_news: two of a class make one.

    Args:
        shots: Support messages a class.
        n_queries: Other messages.

    Returns:
        The messages of four classes.
    """
    by_class: dict[str, list[str]] = {}
    for example in load_topics():
        by_class.setdefault(str(example.label), []).append(example.text)
    chosen = dict(sorted(by_class.items())[:N_CLASSES])
    pairs = {
        label: [f"{a} {b}" for a, b in zip(texts[0::2], texts[1::2], strict=False)]
        for label, texts in chosen.items()
    }
    n_pairs = min(len(texts) for texts in pairs.values())
    examples = [Example(pairs[c][number], c) for number in range(n_pairs) for c in pairs]
    n_support = shots * N_CLASSES
    return Topics(tuple(examples[:n_support]), tuple(examples[n_support : n_support + n_queries]))


def text_of_length(
    n_tokens: int, count: Callable[[str], int], words: Sequence[str], end: str = ""
) -> str:
    """A text of an exact number of tokens.

    Args:
        n_tokens: The number.
        count: Counts the tokens of a text.
        words: What it is made of, from the first on, again and again.
        end: What it ends with.

    Returns:
        The text; as near to the number as the words allow.
    """
    low, high = 0, n_tokens + 1
    while high - low > 1:
        middle = (low + high) // 2
        if count(_joined(words, middle) + end) <= n_tokens:
            low = middle
        else:
            high = middle
    text = _joined(words, low)
    # Most tokenizers have these short words as one token each.
    for filler in (" of", " the", " so", " a"):
        while count(text + filler + end) <= n_tokens:
            text += filler
    return text + end


def running_words(start: int = 0) -> list[str]:
    """Words of the topics' messages, beginning with message number `start`."""
    messages = [example.text for example in load_topics()]
    start %= len(messages)
    return " ".join(messages[start:] + messages[:start]).split()


def _joined(words: Sequence[str], n: int) -> str:
    return " ".join(words[place % len(words)] for place in range(n))
