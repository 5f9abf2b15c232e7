"""`/classify`: vLLM's shape, for classifiers; and for reward models, as verl asks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request

from headwise.content import images_in, text_in
from headwise.examples import Example
from headwise.server.desk import Desk, Job, answered_or_refused
from headwise.server.reading import Judged, judged_from_text
from headwise.server.refusals import AsciiResponse, RefusalError
from headwise.server.routes.described import REFUSALS, desk_of, envelope
from headwise.server.runners import Classified, ClassRunner, example_tokens
from headwise.server.scoring import score
from headwise.server.shapes import ClassifyRequest, ExampleInput
from headwise.server.shelf import ServedClassifier, ServedReward

router = APIRouter()


@router.post("/classify", responses=REFUSALS, summary="Classes, as vLLM gives them")
async def classify(body: ClassifyRequest, request: Request) -> AsciiResponse:
    """Classifies texts, pictures, or the last user's turn of a chat.

    A reward artifact is a classifier of one class, whose probability is the sigmoid of the reward,
    or with `use_activation` false the reward itself. Its input is a chat template's text.
    """
    desk = desk_of(request)
    if (body.input is None) == (body.messages is None):
        raise RefusalError(422, "input: give either input or messages.", "input")
    many = body.input if isinstance(body.input, list) else [body.input]
    desk.reader.check_count(len(many), "input")
    is_raw = body.use_activation is False
    served = _model(desk, body.model)
    if isinstance(served, ServedReward):
        judged = await desk.read(lambda: _judged(desk, body, many), is_heavy=True)
        [outcomes] = await score(desk, request, [served], judged)
        values = [found.value for found in answered_or_refused(outcomes)]
        data = [_entry(n, None, [v if is_raw else sigmoid(v)]) for n, v in enumerate(values)]
    else:
        examples = await desk.read(lambda: _examples(desk, body, many), is_heavy=True)
        runner = ClassRunner(served, desk.limits.text_tokens)
        jobs = [Job(runner, example, example_tokens(example)) for example in examples]
        found = answered_or_refused(await desk.answers(request, jobs))
        data = [_classified(served, n, one, is_raw) for n, one in enumerate(found)]
    return AsciiResponse({**envelope("classify", served.name), "data": data})


def _model(desk: Desk, name: str | None) -> ServedClassifier | ServedReward:
    is_reward = any(a.name == name and isinstance(a, ServedReward) for a in desk.shelf.artifacts)
    has_classifier = any(isinstance(a, ServedClassifier) for a in desk.shelf.artifacts)
    if is_reward or (name is None and not has_classifier):
        return desk.shelf.one(ServedReward, name)
    return desk.shelf.one(ServedClassifier, name)


def _judged(
    desk: Desk, body: ClassifyRequest, many: Sequence[str | ExampleInput | None]
) -> list[Judged]:
    if body.messages is not None:
        turns = desk.reader.turns(body.messages, "messages")
        if len(turns) < 2 or turns[-1].role != "assistant":
            raise RefusalError(
                422, "messages: the last turn must be the assistant's, after a user's.", "messages"
            )
        return [Judged(turns[:-1], turns[-1].content)]
    found = []
    for number, text in enumerate(many):
        if not isinstance(text, str):
            raise RefusalError(422, "input: a reward artifact takes texts, or messages.", "input")
        desk.reader.check_text(text, f"input.{number}")
        try:
            found.append(judged_from_text(text))
        except ValueError as error:
            raise RefusalError(422, f"input.{number}: {error}", f"input.{number}") from error
    return found


def _examples(
    desk: Desk, body: ClassifyRequest, many: Sequence[str | ExampleInput | None]
) -> list[Example]:
    if body.messages is None:
        return [
            desk.reader.example(one, f"input.{n}") for n, one in enumerate(many) if one is not None
        ]
    turns = desk.reader.turns(body.messages, "messages")
    if turns[-1].role != "user" or (len(turns) > 1 and turns[0].role != "system") or len(turns) > 2:
        raise RefusalError(
            422,
            "messages: a classifier takes one user's turn; its own prompt stands around it.",
            "messages",
        )
    if len(turns) > 1:
        raise RefusalError(
            422, "messages: the classifier has a system turn of its own.", "messages"
        )
    content = turns[0].content
    if not text_in(content).strip() and not images_in(content):
        raise RefusalError(422, "messages: there is neither a text nor an image.", "messages")
    return [Example(text_in(content), images=images_in(content))]


def _classified(
    served: ServedClassifier, number: int, found: Classified, is_raw: bool
) -> dict[str, Any]:
    # As `predict` does: by decision values, of equals the first.
    best = max(range(len(found.decisions)), key=lambda column: found.decisions[column])
    probs = found.decisions if is_raw else found.probabilities
    return _entry(number, served.model.classes[best], list(probs))


def _entry(number: int, label: str | None, probs: list[float]) -> dict[str, Any]:
    return {"index": number, "label": label, "probs": probs, "num_classes": len(probs)}


def sigmoid(value: float) -> float:
    """The probability of log-odds, without overflow."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    odds = math.exp(value)
    return odds / (1 + odds)
