"""The bodies of requests, as strict types: what is not understood is refused, never ignored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from headwise.server.refusals import described

# Far beyond what an operator would allow; the operator's own limits are checked afterwards.
_MOST_ITEMS = 100_000
_MOST_CHARACTERS = 100_000_000
_LONGEST_NAME = 200
MOST_TURNS = 1_000
"""Turns of a chat, and parts of a turn."""


def _without_nulls(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("null_character", "a null character is in the text")
    return text


Text = Annotated[
    str, StringConstraints(max_length=_MOST_CHARACTERS), AfterValidator(_without_nulls)
]
Filled = Annotated[Text, StringConstraints(min_length=1, pattern=r"\S")]
Name = Annotated[Text, StringConstraints(min_length=1, max_length=_LONGEST_NAME)]


class Strict(BaseModel):
    """A body or part of one: no other fields, no conversions."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class TextPart(Strict):
    """Text of a turn."""

    type: Literal["text"]
    text: Text


class ImageUrl(Strict):
    """Where a picture is: a data URL."""

    url: Text
    detail: Literal["auto"] = "auto"


class ImagePart(Strict):
    """A picture of a turn."""

    type: Literal["image_url"]
    image_url: ImageUrl


Parts = Annotated[
    list[Annotated[TextPart | ImagePart, Field(discriminator="type")]],
    Field(min_length=1, max_length=MOST_TURNS),
]


def _form(value: Any) -> str:
    """Which form of a union is meant, so that errors speak of no other."""
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else "object"


def _form_of_content(value: Any) -> str:
    return "text" if isinstance(value, str) else "list"


_OF_CONTENT, _OF_INPUT = Discriminator(_form_of_content), Discriminator(_form)
Said = Annotated[Annotated[Text, Tag("text")] | Annotated[Parts, Tag("list")], _OF_CONTENT]


class Turn(Strict):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: Said


Turns = Annotated[list[Turn], Field(min_length=1, max_length=MOST_TURNS)]


class JudgedItem(Strict):
    """A response to be scored, after the conversation that it answers."""

    messages: Turns
    response: Said


@dataclass(frozen=True, slots=True)
class Malformed:
    """An item that is none; the others of its request are answered.

    Args:
        message: What is wrong with it.
    """

    message: str


def _kept(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError as error:
        return Malformed(described(error))


class RewardsRequest(Strict):
    """Responses to score by one or several reward artifacts."""

    items: Annotated[
        list[Annotated[JudgedItem, WrapValidator(_kept)]],
        Field(min_length=1, max_length=_MOST_ITEMS),
    ]
    model: Name | None = None
    criteria: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = None
    weights: dict[Name, Annotated[float, Field(ge=-1e6, le=1e6)]] | None = None


class QueryRequest(Strict):
    """What OpenRLHF sends: prompts and responses as one text, special tokens in it."""

    query: Annotated[list[Filled], Field(min_length=1, max_length=_MOST_ITEMS)]
    prompts: list[Text] | None = None
    labels: list[Any] | None = Field(
        None, description="The data set's answers; an artifact does not need them."
    )


class ExampleInput(Strict):
    """An input with fields for the instruction's places, or with pictures."""

    text: Text = ""
    fields: dict[Name, Text] = Field(default_factory=dict)
    images: Annotated[list[Text], Field(max_length=MOST_TURNS)] = Field(default_factory=list)


def _form_of_one(value: Any) -> str:
    return "text" if isinstance(value, str) else "object"


_OF_ONE = Discriminator(_form_of_one)
OneInput = Annotated[
    Annotated[Filled, Tag("text")] | Annotated[ExampleInput, Tag("object")], _OF_ONE
]
Inputs = Annotated[list[OneInput], Field(min_length=1, max_length=_MOST_ITEMS)]
OneOrMany = Annotated[
    Annotated[Filled, Tag("text")]
    | Annotated[ExampleInput, Tag("object")]
    | Annotated[Inputs, Tag("list")],
    _OF_INPUT,
]


class ClassifyRequest(Strict):
    """What vLLM's `/classify` takes; an input may also be an object with pictures."""

    model: Name | None = None
    input: OneOrMany | None = None
    messages: Turns | None = None
    use_activation: bool | None = Field(
        None, description="False gives decision values, or a reward as it is."
    )


class ContentObject(Strict):
    """A text with pictures."""

    content: Parts


Side = Annotated[Annotated[Text, Tag("text")] | Annotated[ContentObject, Tag("object")], _OF_ONE]
Sides = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[ContentObject, Tag("object")]
    | Annotated[Annotated[list[Side], Field(min_length=1, max_length=_MOST_ITEMS)], Tag("list")],
    _OF_INPUT,
]


class ScoreRequest(Strict):
    """What vLLM's `/score` takes: prompts and responses, under any of its names."""

    model: Name | None = None
    text_1: Sides | None = None
    text_2: Sides | None = None
    queries: Sides | None = None
    documents: Sides | None = None
    items: Sides | None = None
    data_1: Sides | None = None
    data_2: Sides | None = None
    use_activation: bool | None = Field(None, description="False gives a reward as it is.")


class RerankRequest(Strict):
    """What vLLM's `/rerank` takes."""

    model: Name | None = None
    query: Side
    documents: Annotated[list[Side], Field(min_length=1, max_length=_MOST_ITEMS)]
    top_n: Annotated[int, Field(ge=0, le=_MOST_ITEMS)] = 0
    use_activation: bool | None = Field(None, description="False gives a reward as it is.")


class GenerateRequest(Strict):
    """Inputs for a task vector; what is left out of the sampling is the task vector's own."""

    model: Name | None = None
    inputs: Inputs
    max_new_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=100)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    stop: Annotated[list[Filled], Field(max_length=16)] | None = None
