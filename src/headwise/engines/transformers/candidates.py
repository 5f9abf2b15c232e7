"""Plans the forward passes that give the log-probabilities of candidate continuations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from headwise.engines.transformers.batching import Request
from headwise.engines.transformers.tokens import PromptEncoder
from headwise.errors import InputError
from headwise.prompts.conversation import Conversation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CandidatePlan:
    """The requests that score all candidates of one conversation.

    Args:
        requests: The first reads every candidate's first token at the prompt's last token; each
            further one runs a candidate of several tokens.
        wanted: The tokens asked for at each spot of each request.
        places: For each candidate its request and the column among that request's first-spot
            tokens.
    """

    requests: tuple[Request, ...]
    wanted: tuple[list[tuple[int, ...]], ...]
    places: tuple[tuple[int, int], ...]


def plan_candidates(
    encoder: PromptEncoder, conversation: Conversation, candidates: Sequence[str]
) -> CandidatePlan:
    """Plans one conversation's candidates: those of one token share a single pass.

    Args:
        encoder: The model's tokenizer.
        conversation: The prompt.
        candidates: Continuations.

    Returns:
        The plan.
    """
    ids = tuple(encoder.encode(conversation))
    tokens = encoder.encode_targets(conversation, candidates)
    short = tuple(t[0] for t in tokens if len(t) == 1)
    requests: list[Request] = []
    wanted: list[list[tuple[int, ...]]] = []
    if short:
        requests.append(Request.last_token(ids))
        wanted.append([short])
    places: list[tuple[int, int]] = []
    seen_short = 0
    for continuation in tokens:
        if len(continuation) == 1:
            places.append((0, seen_short))
            seen_short += 1
            continue
        places.append((len(requests), 0))
        last = len(ids) - 1
        spots = tuple(range(last, last + len(continuation)))
        requests.append(Request(ids + continuation[:-1], spots))
        wanted.append([(token,) for token in continuation])
    return CandidatePlan(tuple(requests), tuple(wanted), tuple(places))


@dataclass(frozen=True, slots=True)
class CandidatePlans:
    """The requests that score the candidates of many conversations.

    Args:
        plans: One a conversation.
        n_candidates: How many candidates each has.
    """

    plans: tuple[CandidatePlan, ...]
    n_candidates: int

    @classmethod
    def of(
        cls,
        encoder: PromptEncoder,
        conversations: Sequence[Conversation],
        candidates: Sequence[str],
    ) -> CandidatePlans:
        """Plans the same candidates for all conversations."""
        plans = tuple(plan_candidates(encoder, one, candidates) for one in conversations)
        return cls(plans, len(candidates))

    @property
    def requests(self) -> list[Request]:
        """All requests, those of one conversation after another."""
        return [request for plan in self.plans for request in plan.requests]

    @property
    def wanted(self) -> list[list[tuple[int, ...]]]:
        """The tokens asked for at each spot of each request."""
        return [tokens for plan in self.plans for tokens in plan.wanted]

    def of_each_request(self, values: Sequence[T]) -> list[T]:
        """What each conversation has, for each of its requests."""
        return [
            value
            for plan, value in zip(self.plans, values, strict=True)
            for _ in range(len(plan.requests))
        ]

    def summed(self, found: Sequence[Sequence[Tensor]]) -> Tensor:
        """Log-probabilities of the candidates, from those of their tokens.

        Args:
            found: For each request and spot, a value for each token asked for.

        Returns:
            `(conversations, candidates)` float64.
        """
        result = torch.empty(len(self.plans), self.n_candidates, dtype=torch.float64)
        start = 0
        for row, plan in enumerate(self.plans):
            for candidate, (number, column) in enumerate(plan.places):
                spots = found[start + number]
                rest = sum(float(values[0]) for values in spots[1:])
                result[row, candidate] = float(spots[0][column]) + rest
            start += len(plan.requests)
        return result


def competing_tokens(
    encoder: PromptEncoder, conversation: Conversation, among: Sequence[str]
) -> tuple[int, ...]:
    """The distinct first tokens of continuations that compete with one another.

    Args:
        encoder: The model's tokenizer.
        conversation: The prompt.
        among: Continuations.

    Returns:
        Token ids, two at least, in the order of the continuations.

    Raises:
        InputError: All continuations begin with the same token, so that nothing competes.
    """
    firsts = tuple(dict.fromkeys(ids[0] for ids in encoder.encode_targets(conversation, among)))
    if len(firsts) < 2:
        shown = ", ".join(repr(text) for text in list(among)[:5])
        raise InputError(
            f"All of {len(among)} continuations ({shown}) begin with the same token, so nothing "
            "competes; give continuations that differ in their first token, or no among."
        )
    return firsts
