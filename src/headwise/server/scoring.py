"""Responses as items for the queue, and their rewards put back in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from headwise.examples import group_by_prompt
from headwise.server.desk import Desk, Failure, Job
from headwise.server.reading import Judged
from headwise.server.runners import JudgedGroup, RewardRunner, Scored, rough_tokens
from headwise.server.shelf import ServedReward


@dataclass(frozen=True, slots=True)
class RewardOf:
    """The reward of one response.

    Args:
        value: The reward; of several criteria their weighted sum.
        criteria: The reward by each criterion.
        truncated: Whether a text was cut.
    """

    value: float
    criteria: Mapping[str, float]
    truncated: bool

    @classmethod
    def at(cls, place: int, scored: Scored) -> RewardOf:
        """That of one response of a group."""
        apart = {name: rewards[place] for name, rewards in scored.criteria.items()}
        return cls(scored.rewards[place], apart, scored.truncated)


Outcome = RewardOf | Failure
_ALONE = Failure(
    "messages: this reward model compares responses to one prompt with each other, and the request "
    "has one response only to this prompt."
)


async def score(
    desk: Desk, request: Request, models: Sequence[ServedReward], items: Sequence[Judged | Failure]
) -> list[list[Outcome]]:
    """Scores responses by several reward models.

    Args:
        desk: Where items are handed in.
        request: Their request.
        models: The `m` reward models.
        items: `n` items, or why one cannot be scored.

    Returns:
        `m` lists of `n` outcomes.

    Raises:
        RefusalError: See `Desk.answers`.
    """
    found: list[list[Outcome]] = [
        [item if isinstance(item, Failure) else _ALONE for item in items] for _ in models
    ]
    jobs, places = [], []
    for number, served in enumerate(models):
        runner = RewardRunner(served, desk.limits.text_tokens)
        for rows, group in _groups(served, items):
            jobs.append(Job(runner, group, _tokens(served, group)))
            places.append((number, rows))
    for (number, rows), outcome in zip(places, await desk.answers(request, jobs), strict=True):
        for place, row in enumerate(rows):
            found[number][row] = (
                outcome if isinstance(outcome, Failure) else RewardOf.at(place, outcome)
            )
    return found


def _groups(
    served: ServedReward, items: Sequence[Judged | Failure]
) -> list[tuple[tuple[int, ...], JudgedGroup]]:
    """What is scored together: each response alone, or all to one prompt that are compared."""
    rows = [(row, item) for row, item in enumerate(items) if isinstance(item, Judged)]
    if not served.compares:
        return [((row,), JudgedGroup(item.prompt, (item.response,))) for row, item in rows]
    groups = []
    for members in group_by_prompt([item.prompt for _, item in rows]):
        if len(members) > 1:
            responses = tuple(rows[member][1].response for member in members)
            group = JudgedGroup(rows[members[0]][1].prompt, responses)
            groups.append((tuple(rows[member][0] for member in members), group))
    return groups


def _tokens(served: ServedReward, group: JudgedGroup) -> int:
    tokens = rough_tokens(group.contents())
    # Every ordered pair of responses is read where they are compared.
    pairs = 2 * (len(group.responses) - 1)
    return sum(
        tokens if model.form == "scalar" else tokens * pairs for model in served.criteria.values()
    )
