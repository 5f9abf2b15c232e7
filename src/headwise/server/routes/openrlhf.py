"""`/get_reward`: the remote reward of OpenRLHF."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from headwise.server.desk import Desk, Failure, answered_or_refused
from headwise.server.reading import Judged, judged_from_text
from headwise.server.refusals import AsciiResponse, RefusalError
from headwise.server.routes.described import REFUSALS, desk_of
from headwise.server.scoring import score
from headwise.server.shapes import QueryRequest
from headwise.server.shelf import ServedReward

router = APIRouter()


@router.post("/get_reward", responses=REFUSALS, summary="Rewards, as OpenRLHF asks for them")
async def get_reward(
    body: QueryRequest,
    request: Request,
    model: Annotated[str | None, Query(max_length=200)] = None,
) -> AsciiResponse:
    """Scores texts that hold prompt and response, special tokens and all.

    With several reward artifacts, name one in the address: `/get_reward?model=NAME`.
    """
    desk = desk_of(request)
    desk.reader.check_count(len(body.query), "query")
    if body.prompts is not None and len(body.prompts) != len(body.query):
        raise RefusalError(
            422,
            f"prompts: {len(body.prompts)} prompts for {len(body.query)} queries; send one each.",
            "prompts",
        )
    if body.labels is not None and len(body.labels) != len(body.query):
        raise RefusalError(422, "labels: send one for each query, or none.", "labels")
    served = desk.shelf.one(ServedReward, model)
    items = await desk.read(lambda: _read(desk, body), is_heavy=True)
    [outcomes] = await score(desk, request, [served], items)
    found = answered_or_refused(outcomes)
    values = [one.value for one in found]
    logs = {f"reward_{served.name}": values}
    if len(served.criteria) > 1:
        logs |= {
            f"reward_{name}": [one.criteria[name] for one in found] for name in served.criteria
        }
    return AsciiResponse({"rewards": values, "scores": values, "extra_logs": logs})


def _read(desk: Desk, body: QueryRequest) -> list[Judged | Failure]:
    prompts = body.prompts if body.prompts is not None else [None] * len(body.query)
    found: list[Judged | Failure] = []
    for number, (query, prompt) in enumerate(zip(body.query, prompts, strict=True)):
        if prompt is not None:
            desk.reader.check_text(prompt, f"prompts.{number}")
        try:
            desk.reader.check_text(query, f"query.{number}")
            found.append(judged_from_text(query, prompt))
        except ValueError as error:
            raise RefusalError(422, f"query.{number}: {error}", f"query.{number}") from error
    return found
