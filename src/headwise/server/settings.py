"""What an operator may set: limits, and how requests are batched."""

from __future__ import annotations

from dataclasses import dataclass, fields

from headwise.errors import InputError


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How items of different requests are put together.

    Args:
        batch_tokens: Tokens of one call of the engine, roughly: four bytes of text count as one
            token, a picture as 256, the prompt around an item as 48.
        batch_wait: Seconds to wait for more items where several came together last time.
        queue_items: Items that may wait; past it requests are refused with 429.
        queue_tokens: Tokens that may wait, roughly; one request may have more where none waits.
    """

    batch_tokens: int = 16_384
    batch_wait: float = 0.005
    queue_items: int = 4_096
    queue_tokens: int = 2_000_000

    def __post_init__(self) -> None:
        _require_positive(self)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request may ask for.

    Args:
        body_bytes: Of its body.
        body_seconds: Until its body has come.
        items: Items, documents or inputs of it.
        text_characters: Of one text.
        text_tokens: Of one text; longer ones are refused. The artifacts cut at theirs where None.
        images: Pictures of one item.
        image_bytes: Of one picture's file.
        image_pixels: Of one picture.
        new_tokens: Tokens that `/generate` may write for an input.
        deadline: Seconds until the answer; then 504, and what waits of the request is dropped.
        requests: Requests under way at a time; past it 429.
    """

    body_bytes: int = 32 * 2**20
    body_seconds: float = 30.0
    items: int = 1_024
    text_characters: int = 200_000
    text_tokens: int | None = None
    images: int = 16
    image_bytes: int = 16 * 2**20
    image_pixels: int = 32_000_000
    new_tokens: int = 1_024
    deadline: float = 60.0
    requests: int = 1_024

    def __post_init__(self) -> None:
        _require_positive(self)


def _require_positive(settings: BatchSettings | RequestLimits) -> None:
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if value is not None and not value > 0:
            raise InputError(f"{entry.name} must be above 0; got {value}.")
