"""What a server answers, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwise.errors import InputError


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why one item of a request has no answer; the others have theirs.

    Args:
        index: Its number among the items of the call.
        message: What is wrong with it.
    """

    index: int
    message: str


@dataclass(frozen=True, slots=True)
class RemoteRewards:
    """The rewards of a call.

    Args:
        rewards: One a response; None where it could not be scored. With several criteria, the
            weighted sum of theirs.
        criteria: The rewards by each criterion apart, by its name.
        errors: Why a response has none.
        truncated: Whether a text of the item was too long and was cut, one an item.
    """

    rewards: tuple[float | None, ...]
    criteria: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    errors: tuple[ItemError, ...] = ()
    truncated: tuple[bool, ...] = ()

    def values(self) -> NDArray[np.float64]:
        """All rewards, `(n,)` float64.

        Raises:
            InputError: One could not be scored; says which and why.
        """
        require_all(self.errors, len(self.rewards))
        return np.array([np.nan if r is None else r for r in self.rewards], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class ClassProbabilities:
    """What a classifier says of one example.

    Args:
        label: The likeliest class.
        probabilities: One a class, in the order of the classifier's `classes`.
    """

    label: str | None
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RankedDocument:
    """One document's place in a ranking.

    Args:
        index: Its number among the documents given.
        score: Its relevance, between 0 and 1.
    """

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class GeneratedTexts:
    """The answers of a call.

    Args:
        texts: One an input; None where it could not be answered.
        errors: Why an input has no answer.
    """

    texts: tuple[str | None, ...]
    errors: tuple[ItemError, ...] = ()

    def values(self) -> list[str]:
        """All answers.

        Raises:
            InputError: One input could not be answered; says which and why.
        """
        require_all(self.errors, len(self.texts))
        return [text or "" for text in self.texts]


@dataclass(frozen=True, slots=True)
class ServedModel:
    """An artifact that a server has.

    Args:
        name: What requests call it.
        kind: `"reward"`, `"classifier"` or `"task-vector"`.
        details: What else the server says of it.
    """

    name: str
    kind: str
    details: Mapping[str, object] = field(default_factory=dict)


def require_all(errors: tuple[ItemError, ...], n_items: int) -> None:
    """Checks that every item was answered.

    Raises:
        InputError: One was not.
    """
    if errors:
        first = errors[0]
        raise InputError(
            f"The server could not answer {len(errors)} of {n_items} items; the first is item "
            f"{first.index}: {first.message}"
        )
