"""`/score` and `/rerank`: vLLM's shapes, for reward models as cross-encoders."""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter, Request

from headwise.content import Content, images_in, text_in
from headwise.content.turns import Message
from headwise.examples import Prompt
from headwise.server.desk import Desk, answered_or_refused
from headwise.server.reading import Judged
from headwise.server.refusals import AsciiResponse, RefusalError
from headwise.server.routes.classify import sigmoid
from headwise.server.routes.described import REFUSALS, desk_of, envelope
from headwise.server.scoring import score
from headwise.server.shapes import ContentObject, RerankRequest, ScoreRequest
from headwise.server.shelf import ServedReward

router = APIRouter()

_FIRST = ("text_1", "queries", "data_1")
_SECOND = ("text_2", "documents", "items", "data_2")


@router.post("/score", responses=REFUSALS, summary="Scores of pairs, as vLLM gives them")
@router.post("/v1/score", responses=REFUSALS, include_in_schema=False)
async def score_pairs(body: ScoreRequest, request: Request) -> AsciiResponse:
    """Scores responses to prompts: one prompt with many responses, or as many of both.

    A score is the sigmoid of the reward, or with `use_activation` false the reward itself.
    """
    desk = desk_of(request)
    queries, of_queries = _given(body, _FIRST)
    documents, of_documents = _given(body, _SECOND)
    desk.reader.check_count(max(len(queries), len(documents)), of_documents)
    if len(queries) not in (1, len(documents)):
        raise RefusalError(
            422,
            f"{of_queries}: {len(queries)} for {len(documents)} of {of_documents}; give one, or as "
            "many.",
            of_queries,
        )
    served = desk.shelf.one(ServedReward, body.model)
    values = await _scored(desk, request, served, (queries, of_queries), (documents, of_documents))
    is_raw = body.use_activation is False
    data = [
        {"index": n, "object": "score", "score": value if is_raw else sigmoid(value)}
        for n, value in enumerate(values)
    ]
    return AsciiResponse({**envelope("score", served.name), "data": data})


@router.post("/rerank", responses=REFUSALS, summary="Documents in order, as vLLM gives them")
@router.post("/v1/rerank", responses=REFUSALS, include_in_schema=False)
@router.post("/v2/rerank", responses=REFUSALS, include_in_schema=False)
async def rerank(body: RerankRequest, request: Request) -> AsciiResponse:
    """Orders documents by how good an answer to the query they are; of equals the first."""
    desk = desk_of(request)
    desk.reader.check_count(len(body.documents), "documents")
    served = desk.shelf.one(ServedReward, body.model)
    values = await _scored(
        desk, request, served, ([body.query], "query"), (body.documents, "documents")
    )
    is_raw = body.use_activation is False
    order = sorted(range(len(values)), key=lambda number: -values[number])
    results = [
        {
            "index": number,
            "document": _document(body.documents[number]),
            "relevance_score": values[number] if is_raw else sigmoid(values[number]),
        }
        for number in order[: body.top_n or None]
    ]
    return AsciiResponse(
        {
            "id": f"rerank-{uuid.uuid4().hex}",
            "model": served.name,
            "usage": None,
            "results": results,
        }
    )


def _given(body: ScoreRequest, names: tuple[str, ...]) -> tuple[list[str | ContentObject], str]:
    found = [name for name in names if getattr(body, name) is not None]
    if len(found) != 1:
        raise RefusalError(422, f"{names[0]}: give one of {', '.join(names)}.", names[0])
    value = getattr(body, found[0])
    return (value if isinstance(value, list) else [value]), found[0]


async def _scored(
    desk: Desk,
    request: Request,
    served: ServedReward,
    queries: tuple[list[str | ContentObject], str],
    documents: tuple[list[str | ContentObject], str],
) -> list[float]:
    def read() -> list[Judged]:
        asked = [
            _asked(desk.reader.side(one, f"{queries[1]}.{n}"), f"{queries[1]}.{n}")
            for n, one in enumerate(queries[0])
        ]
        answers = [
            desk.reader.side(one, f"{documents[1]}.{n}") for n, one in enumerate(documents[0])
        ]
        if len(asked) == 1:
            asked *= len(answers)
        return [Judged(prompt, answer) for prompt, answer in zip(asked, answers, strict=True)]

    is_heavy = any(not isinstance(one, str) for one in (*queries[0], *documents[0]))
    [outcomes] = await score(desk, request, [served], await desk.read(read, is_heavy=is_heavy))
    return [found.value for found in answered_or_refused(outcomes)]


def _asked(content: Content, field: str) -> Prompt:
    if not text_in(content).strip() and not images_in(content):
        raise RefusalError(422, f"{field}: it is empty.", field)
    return content if isinstance(content, str) else (Message("user", content),)


def _document(given: str | ContentObject) -> dict[str, Any]:
    if isinstance(given, str):
        return {"text": given}
    texts = [part.text for part in given.content if part.type == "text"]
    # Pictures are not sent back: the client has them.
    return {"text": "\n".join(texts)}
