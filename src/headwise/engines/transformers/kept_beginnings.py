"""What conversations of one template begin with: run once, and kept from one call to the next.

Whoever asks one thing at a time (a server, a loop over messages) sends the same system prompt and
instruction every time. Which tokens those are follows from the conversation alone, never from what
was asked before, so a result does not depend on what is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headwise.engines.transformers.batching import (
    Request,
    SharingGroup,
    TokenIds,
    common_prefix_length,
)
from headwise.engines.transformers.pictures import before_cut_picture
from headwise.engines.transformers.prefixes import PrefixStates
from headwise.engines.transformers.shelf import Shelf

# Below this a pass of its own for the beginning costs more than the next requests save.
_FEWEST_TOKENS = 16


class KeptBeginnings:
    """The beginnings of templates, with their keys and values; the least recently used go first.

    Args:
        run: Runs a prefix through the model.
        byte_budget: Memory that the states may take together, where the model is.
    """

    def __init__(self, run: Callable[[TokenIds], PrefixStates], byte_budget: int) -> None:
        self._run = run
        self._kept: Shelf[TokenIds, PrefixStates] = Shelf(byte_budget, lambda one: one.n_bytes)

    def clear(self) -> None:
        """Forgets every beginning."""
        self._kept.clear()

    def states(self, prefix: TokenIds) -> PrefixStates:
        """The states of a beginning, run now if they are not kept.

        Args:
            prefix: Token ids, one at least.
        """
        states = self._kept.get(prefix)
        if states is None:
            states = self._run(prefix)
            self._kept.put(prefix, states)
            self._kept.trim(least=0)
        return states


def beginning_of(requests: Sequence[Request], group: SharingGroup) -> TokenIds:
    """The beginning that a group's requests name, where it is worth keeping.

    Args:
        requests: All requests.
        group: Which of them run together, and what they share in this call.

    Returns:
        Token ids; empty where they name none, or share more than that in this call.
    """
    members = [requests[row] for row in group.rows]
    n_tokens = min((one.n_beginning for one in members), default=0)
    # What the first and the last in order share, all share.
    first, last = (f((one.ids for one in members), default=()) for f in (min, max))
    n_tokens = before_cut_picture(first, min(n_tokens, common_prefix_length(first, last)))
    return first[:n_tokens] if n_tokens >= max(_FEWEST_TOKENS, len(group.prefix)) else ()
