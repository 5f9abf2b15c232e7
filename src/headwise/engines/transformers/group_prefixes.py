"""Prefixes of one call's groups: each is run once, and once for all what several begin with."""

from __future__ import annotations

from collections.abc import Sequence

from headwise.engines.transformers.batching import Request, SharingGroup, TokenIds
from headwise.engines.transformers.frozen import FrozenModel
from headwise.engines.transformers.prefixes import PrefixStates


class GroupPrefixes:
    """Prefixes of one call's groups; what several groups begin with is run once.

    Args:
        frozen: The model.
    """

    def __init__(self, frozen: FrozenModel) -> None:
        self._frozen = frozen
        self._common: tuple[TokenIds, PrefixStates] | None = None

    def states(self, group: SharingGroup) -> PrefixStates | None:
        """Keys and values of a group's prefix; None where it shares none."""
        if not group.prefix:
            return None
        sight, rest = self._frozen.sight, group.prefix[group.n_common :]
        if not group.n_common or (sight is not None and not sight.may_follow(rest)):
            return self._frozen.run(group.prefix)
        if self._common is None or self._common[0] != group.common:
            self._common = group.common, self._frozen.run(group.common)
        return self._frozen.run(group.prefix, self._common[1]) if rest else self._common[1]


def may_share(frozen: FrozenModel, requests: Sequence[Request], group: SharingGroup) -> bool:
    """Whether what follows a group's prefix may be run behind it.

    Args:
        frozen: The model.
        requests: All requests.
        group: Which of them, and what they share.
    """
    skip = len(group.prefix)
    sight = frozen.sight
    return (
        not skip
        or sight is None
        or all(sight.may_follow(requests[row].ids[skip:]) for row in group.rows)
    )
