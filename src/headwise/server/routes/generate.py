"""`/generate`: a task vector's answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request

from headwise.engines.base import Sampling
from headwise.examples import Example
from headwise.server.desk import Desk, Failure, Job
from headwise.server.refusals import AsciiResponse, RefusalError, error_body
from headwise.server.routes.described import REFUSALS, desk_of, envelope
from headwise.server.runners import TaskRunner, example_tokens
from headwise.server.shapes import GenerateRequest
from headwise.server.shelf import ServedTask

router = APIRouter()


@router.post("/generate", responses=REFUSALS, summary="A task vector's answers")
async def generate(body: GenerateRequest, request: Request) -> AsciiResponse:
    """Answers inputs; an input that is wrong has the text null and an error.

    What is left out of the sampling is the task vector's own: greedy, to where an example ends.
    """
    desk = desk_of(request)
    desk.reader.check_count(len(body.inputs), "inputs")
    served = desk.shelf.one(ServedTask, body.model)
    sampling = _sampling(desk, served, body)
    examples = await desk.read(
        lambda: [desk.reader.example(one, f"inputs.{n}") for n, one in enumerate(body.inputs)],
        is_heavy=any(not isinstance(one, str) for one in body.inputs),
    )
    outcomes = await desk.answers(request, _jobs(desk, served, sampling, examples))
    data: list[dict[str, Any]] = []
    errors = []
    for outcome in outcomes:
        texts = [None] if isinstance(outcome, Failure) else outcome.texts
        if isinstance(outcome, Failure):
            # A sampled request is answered as a whole or not at all.
            texts = [None] * (len(examples) if sampling.temperature else 1)
            errors += [
                {"index": len(data) + n, "message": outcome.message} for n in range(len(texts))
            ]
        data += [{"index": len(data) + n, "text": text} for n, text in enumerate(texts)]
    answer = {**envelope("generate", served.name), "data": data, "errors": errors}
    if len(errors) < len(data):
        return AsciiResponse(answer)
    is_clients = all(not isinstance(o, Failure) or o.is_clients for o in outcomes)
    status = 422 if is_clients else 500
    told = error_body(status, f"inputs.0: {errors[0]['message']}", "inputs.0")
    return AsciiResponse({**answer, **told}, status)


def _sampling(desk: Desk, served: ServedTask, body: GenerateRequest) -> Sampling:
    named = {
        name: getattr(body, name)
        for name in ("max_new_tokens", "temperature", "top_p", "seed")
        if getattr(body, name) is not None
    }
    if body.stop is not None:
        named["stop"] = tuple(body.stop)
    sampling = replace(served.model.sampling, **named)
    if sampling.max_new_tokens > desk.limits.new_tokens:
        raise RefusalError(
            422,
            f"max_new_tokens: {sampling.max_new_tokens} are too many; the server writes "
            f"{desk.limits.new_tokens} at most.",
            "max_new_tokens",
        )
    return sampling


def _jobs(desk: Desk, served: ServedTask, sampling: Sampling, examples: list[Example]) -> list[Job]:
    limit = desk.limits.text_tokens
    tokens = [example_tokens(example) + sampling.max_new_tokens for example in examples]
    if sampling.temperature:
        # What chance adds depends on what else is in the call, so the request runs by itself.
        runner = TaskRunner(served, sampling, limit, desk.next_number())
        return [Job(runner, tuple(examples), sum(tokens))]
    runner = TaskRunner(served, sampling, limit)
    return [Job(runner, (one,), n) for one, n in zip(examples, tokens, strict=True)]
