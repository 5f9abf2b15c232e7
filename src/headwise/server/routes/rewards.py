"""`/v1/rewards`: headwise's own route, with pictures, several criteria and errors by item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request

from headwise.server.desk import Desk, Failure
from headwise.server.reading import Judged
from headwise.server.refusals import AsciiResponse, RefusalError, error_body
from headwise.server.routes.described import REFUSALS, desk_of
from headwise.server.scoring import Outcome, score
from headwise.server.shapes import JudgedItem, Malformed, RewardsRequest
from headwise.server.shelf import ServedReward

router = APIRouter()


@router.post("/v1/rewards", responses=REFUSALS, summary="Rewards of responses")
async def rewards(body: RewardsRequest, request: Request) -> AsciiResponse:
    """Scores responses, by one reward artifact (`model`) or several (`criteria`).

    An artifact may have several criteria itself: it counts as their weighted sum, and as the one
    `model` of a request they are told apart.

    An item that is wrong has the reward null and an error; the others are scored all the same.
    Only where no item can be scored the status is 422.
    """
    desk = desk_of(request)
    desk.reader.check_count(len(body.items), "items")
    models, weights = _criteria(desk, body)
    is_heavy = any(isinstance(item, JudgedItem) and _shows_pictures(item) for item in body.items)
    items = await desk.read(lambda: [_read(desk, item) for item in body.items], is_heavy=is_heavy)
    outcomes = await score(desk, request, models, items)
    return _answer(models, weights, outcomes)


def _criteria(desk: Desk, body: RewardsRequest) -> tuple[list[ServedReward], list[float]]:
    if body.criteria is None or body.model is not None:
        if body.criteria is not None or body.weights is not None:
            raise RefusalError(422, "model: give either model or criteria (with weights).", "model")
        return [desk.shelf.one(ServedReward, body.model)], [1.0]
    if len(set(body.criteria)) < len(body.criteria):
        raise RefusalError(422, "criteria: a name occurs twice.", "criteria")
    given = body.weights or {}
    unknown = sorted(set(given) - set(body.criteria))
    weights = [given.get(name, 1.0) for name in body.criteria]
    if unknown:
        raise RefusalError(
            422, "weights: they are for names that are no criteria of the request.", "weights"
        )
    return [desk.shelf.one(ServedReward, name, "criteria") for name in body.criteria], weights


def _read(desk: Desk, item: JudgedItem | Malformed) -> Judged | Failure:
    if isinstance(item, Malformed):
        return Failure(item.message)
    try:
        return desk.reader.judged(item)
    except ValueError as error:
        return Failure(str(error))


def _shows_pictures(item: JudgedItem) -> bool:
    contents = [item.response, *(turn.content for turn in item.messages)]
    return any(not isinstance(content, str) for content in contents)


def _answer(
    models: Sequence[ServedReward],
    weights: Sequence[float],
    outcomes: Sequence[Sequence[Outcome]],
) -> AsciiResponse:
    values: list[float | None] = []
    errors = []
    truncated = []
    for row, found in enumerate(zip(*outcomes, strict=True)):
        failures = [outcome for outcome in found if isinstance(outcome, Failure)]
        scored = [outcome for outcome in found if not isinstance(outcome, Failure)]
        truncated.append(any(outcome.truncated for outcome in scored))
        if failures:
            values.append(None)
            errors.append({"index": row, "message": failures[0].message})
        else:
            # As `headwise.Rewards` puts criteria together.
            values.append(sum(w * one.value for w, one in zip(weights, scored, strict=True)))
    body: dict[str, Any] = {
        "rewards": values,
        "criteria": _apart(models, outcomes),
        "truncated": truncated,
        "errors": errors,
    }
    if len(errors) < len(values):
        return AsciiResponse(body)
    is_clients = all(
        not isinstance(o, Failure) or o.is_clients for found in outcomes for o in found
    )
    status = 422 if is_clients else 500
    first = errors[0]
    told = error_body(status, f"items.{first['index']}: {first['message']}", "items")
    return AsciiResponse({**body, **told}, status)


def _apart(
    models: Sequence[ServedReward], outcomes: Sequence[Sequence[Outcome]]
) -> dict[str, list[float | None]]:
    """The rewards by each artifact that was named; where it is one, by each of its criteria."""
    if len(models) > 1:
        return {
            served.name: [None if isinstance(one, Failure) else one.value for one in found]
            for served, found in zip(models, outcomes, strict=True)
        }
    return {
        name: [None if isinstance(one, Failure) else one.criteria[name] for one in outcomes[0]]
        for name in models[0].criteria
    }
