"""Keeps what was made, within a budget: the least recently used goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Shelf(Generic[K, V]):
    """Things in one memory, the least recently put first.

    Nothing goes by itself: whoever puts something drops what is too much, or moves it elsewhere.

    Args:
        budget: How much they may take together.
        size_of: How much one takes; that must not change while it is here.
    """

    def __init__(self, budget: int, size_of: Callable[[V], int]) -> None:
        self.budget = budget
        self._size_of = size_of
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def is_over(self) -> bool:
        """Whether they take more than the budget."""
        return self._size > self.budget

    def get(self, key: K) -> V | None:
        """What is kept under a key, which is the latest used then; None where nothing is."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def take(self, key: K) -> V | None:
        """What is kept under a key, no longer kept then; None where nothing is."""
        value = self._kept.pop(key, None)
        if value is not None:
            self._size -= self._size_of(value)
        return value

    def put(self, key: K, value: V) -> None:
        """Keeps something, in place of what was kept under the key."""
        self.take(key)
        self._kept[key] = value
        self._size += self._size_of(value)

    def drop_oldest(self) -> tuple[K, V]:
        """Drops the least recently used; its key and itself."""
        key, value = self._kept.popitem(last=False)
        self._size -= self._size_of(value)
        return key, value

    def trim(self, *, least: int) -> None:
        """Drops the least recently used until the rest is within the budget.

        Args:
            least: How many of the latest stay, even if they take more.
        """
        while self.is_over and len(self) > least:
            self.drop_oldest()

    def clear(self) -> None:
        """Drops everything."""
        self._kept.clear()
        self._size = 0
