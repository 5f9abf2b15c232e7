"""Seeded draws that keep the type of what is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, each as likely as any other."""
    return options[int(rng.random() * len(options))]


def shuffled(rng: np.random.Generator, items: Iterable[T]) -> list[T]:
    """The items in random order."""
    given = list(items)
    return [given[place] for place in rng.permutation(len(given))]


def coin(rng: np.random.Generator, probability: float = 0.5) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def between(rng: np.random.Generator, least: float, most: float) -> float:
    """A number between two others, uniformly."""
    return least + (most - least) * float(rng.random())
