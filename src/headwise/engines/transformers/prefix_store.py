"""Keeps prefixes that have been run: on the device, then in the computer's memory, then not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch

from headwise.engines.transformers.batching import TokenIds
from headwise.engines.transformers.prefixes import PrefixStates
from headwise.engines.transformers.shelf import Shelf

RunPrefix: TypeAlias = Callable[[TokenIds], PrefixStates]


class PrefixStore:
    """Prefixes that have been run; the least recently used go past a byte budget.

    Where they go: to the CPU's memory while that has a budget left, and from there away.

    Args:
        run: Runs a prefix that is not kept.
        byte_budget: Memory they may take together where the model is. The last one used is kept
            even if it takes more.
        spill_budget: Memory they may take on the CPU besides; 0 where the model is there itself.
    """

    def __init__(self, run: RunPrefix, byte_budget: int, spill_budget: int = 0) -> None:
        self._run = run
        self._kept = _shelf(byte_budget)
        self._spilled = _shelf(spill_budget)
        self._devices: tuple[torch.device, ...] = ()

    def get(self, prefixes: Sequence[TokenIds], room: int) -> list[PrefixStates]:
        """The states of some prefixes; those that are not kept are run now.

        Args:
            prefixes: Token ids, one at least each.
            room: Tokens that must fit behind each.

        Returns:
            The states, in the order given. A prefix that occurs twice has the same memory twice.
        """
        # Each on its own, never together: what a prefix gives must not depend on what was kept.
        found = {ids: self._one(ids).with_room(room) for ids in dict.fromkeys(prefixes)}
        for ids, states in found.items():
            self._kept.put(ids, states)
        self._make_space()
        return [found[ids] for ids in prefixes]

    def clear(self) -> None:
        """Forgets every prefix."""
        self._kept.clear()
        self._spilled.clear()

    def _one(self, ids: TokenIds) -> PrefixStates:
        kept = self._kept.take(ids)
        if kept is not None:
            return kept
        spilled = self._spilled.take(ids)
        return self._run(ids) if spilled is None else spilled.on(self._devices)

    def _make_space(self) -> None:
        while self._kept.is_over and len(self._kept) > 1:
            ids, states = self._kept.drop_oldest()
            if states.n_bytes <= self._spilled.budget:
                self._devices = states.devices
                self._spilled.put(ids, states.on([torch.device("cpu")] * len(states.devices)))
        self._spilled.trim(least=0)


def _shelf(byte_budget: int) -> Shelf[TokenIds, PrefixStates]:
    return Shelf(byte_budget, lambda states: states.n_bytes)
