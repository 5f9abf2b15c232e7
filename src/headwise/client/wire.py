"""Prompts, responses and pictures as the server's JSON, and its answers as values."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headwise.client.answers import (
    ClassProbabilities,
    GeneratedTexts,
    ItemError,
    RankedDocument,
    RemoteRewards,
    ServedModel,
)
from headwise.content import Content, Image, ImageLike, as_images, parts_of
from headwise.content.messages import parse_messages
from headwise.content.turns import Message
from headwise.errors import InputError
from headwise.examples import (
    ExampleLike,
    Prompt,
    Response,
    as_example,
    prompt_key,
    prompt_with_images,
)

ImagesBeside = Sequence[Sequence[ImageLike] | ImageLike | None] | None

_MIME_TYPES = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Items that go in one request.

    Args:
        rows: Their numbers among all items.
        items: The items, as JSON.
    """

    rows: tuple[int, ...]
    items: tuple[Mapping[str, Any], ...]


def checked_size(items_per_request: int) -> int:
    """The number of items of a request, if it is one.

    Raises:
        InputError: It is below 1.
    """
    if items_per_request < 1:
        raise InputError(f"items_per_request is 1 at least; got {items_per_request}.")
    return items_per_request


def reward_chunks(
    prompts: Sequence[Prompt],
    responses: Sequence[Response],
    images: ImagesBeside,
    items_per_request: int,
) -> list[Chunk]:
    """Prompts and responses as the items of requests.

    Responses to one prompt stay together, since some reward models compare them.

    Args:
        prompts: `n` prompts.
        responses: `n` responses.
        images: The pictures of each prompt, as in `RewardModel.score`.
        items_per_request: How many items a request has, unless one prompt has more responses.

    Returns:
        The chunks, which together hold every row once.

    Raises:
        InputError: The numbers differ, or a prompt or picture is malformed.
    """
    beside = [None] * len(prompts) if images is None else list(images)
    if not len(prompts) == len(responses) == len(beside):
        raise InputError(
            f"As many prompts as responses and lists of images are needed; got {len(prompts)}, "
            f"{len(responses)} and {len(beside)}."
        )
    groups: dict[str, list[int]] = {}
    items = []
    for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        shown = prompt_with_images(prompt, as_images(beside[row], origin=f"row {row}"))
        groups.setdefault(prompt_key(shown), []).append(row)
        items.append({"messages": messages_json(shown), "response": content_json(response)})
    return [
        Chunk(rows, tuple(items[row] for row in rows))
        for rows in _filled(list(groups.values()), items_per_request)
    ]


def example_chunks(examples: Sequence[ExampleLike], items_per_request: int) -> list[Chunk]:
    """Examples as the inputs of requests; see `reward_chunks`."""
    items = [example_json(example) for example in examples]
    rows = _filled([[row] for row in range(len(items))], items_per_request)
    return [Chunk(chunk, tuple(items[row] for row in chunk)) for chunk in rows]


def _filled(groups: Sequence[Sequence[int]], size: int) -> Iterator[tuple[int, ...]]:
    rows: list[int] = []
    for group in groups:
        if rows and len(rows) + len(group) > size:
            yield tuple(rows)
            rows = []
        rows.extend(group)
    if rows:
        yield tuple(rows)


def messages_json(prompt: Prompt) -> list[dict[str, Any]]:
    """A prompt as chat messages."""
    turns = (Message("user", prompt),) if isinstance(prompt, str) else parse_messages(prompt)
    return [{"role": turn.role, "content": content_json(turn.content)} for turn in turns]


def content_json(content: Content) -> str | list[dict[str, Any]]:
    """A content as text, or as OpenAI's content parts where there is a picture."""
    if isinstance(content, str):
        return content
    return [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": data_url(part)}}
        for part in parts_of(content)
    ]


def example_json(example: ExampleLike) -> dict[str, Any]:
    """An example as an input of a request."""
    whole = as_example(example)
    item: dict[str, Any] = {"text": whole.text}
    if whole.fields:
        item["fields"] = dict(whole.fields)
    if whole.images:
        item["images"] = [data_url(image) for image in whole.images]
    return item


def data_url(image: Image) -> str:
    """A picture as a data URL."""
    content = image.read()
    kind = next((name for head, name in _MIME_TYPES if content.startswith(head)), "octet-stream")
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def joined_rewards(
    chunks: Sequence[Chunk], answers: Sequence[Mapping[str, Any]], n_items: int
) -> RemoteRewards:
    """The answers to chunks as those to all items, in the order of the items.

    Raises:
        KeyError: An answer lacks what a server gives.
    """
    rewards: list[float | None] = [None] * n_items
    truncated = [False] * n_items
    criteria: dict[str, list[float | None]] = {}
    errors = []
    for chunk, answer in zip(chunks, answers, strict=True):
        _check_length(answer["rewards"], chunk)
        for number, row in enumerate(chunk.rows):
            rewards[row] = answer["rewards"][number]
            truncated[row] = bool(answer.get("truncated", [])[number : number + 1] == [True])
            for name, values in answer.get("criteria", {}).items():
                criteria.setdefault(name, [None] * n_items)[row] = values[number]
        errors += _errors(answer, chunk)
    return RemoteRewards(
        tuple(rewards),
        {name: tuple(values) for name, values in criteria.items()},
        tuple(sorted(errors, key=lambda error: error.index)),
        tuple(truncated),
    )


def joined_texts(
    chunks: Sequence[Chunk], answers: Sequence[Mapping[str, Any]], n_items: int
) -> GeneratedTexts:
    """The answers to chunks as those to all inputs; see `joined_rewards`."""
    texts: list[str | None] = [None] * n_items
    errors = []
    for chunk, answer in zip(chunks, answers, strict=True):
        _check_length(answer["data"], chunk)
        for entry in answer["data"]:
            texts[chunk.rows[entry["index"]]] = entry["text"]
        errors += _errors(answer, chunk)
    return GeneratedTexts(tuple(texts), tuple(sorted(errors, key=lambda error: error.index)))


def joined_classes(
    chunks: Sequence[Chunk], answers: Sequence[Mapping[str, Any]]
) -> list[ClassProbabilities]:
    """The answers to chunks as those to all examples; see `joined_rewards`."""
    found: list[ClassProbabilities] = []
    for chunk, answer in zip(chunks, answers, strict=True):
        _check_length(answer["data"], chunk)
        found += [
            ClassProbabilities(entry["label"], tuple(entry["probs"])) for entry in answer["data"]
        ]
    return found


def ranking(answer: Mapping[str, Any]) -> list[RankedDocument]:
    """The answer of `/rerank`."""
    return [RankedDocument(one["index"], one["relevance_score"]) for one in answer["results"]]


def served_models(answer: Mapping[str, Any]) -> list[ServedModel]:
    """The answer of `/v1/models`."""
    return [
        ServedModel(one["id"], one["headwise"]["kind"], one["headwise"]) for one in answer["data"]
    ]


def _errors(answer: Mapping[str, Any], chunk: Chunk) -> list[ItemError]:
    return [
        ItemError(chunk.rows[error["index"]], error["message"])
        for error in answer.get("errors", [])
    ]


def _check_length(values: Sequence[object], chunk: Chunk) -> None:
    if len(values) != len(chunk.rows):
        raise InputError(
            f"The server gave {len(values)} answers to {len(chunk.rows)} items; is it the address "
            "of headwise serve?"
        )
