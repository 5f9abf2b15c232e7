"""The pictures that are given beside the prompts of many rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from headwise.content import ImageLike, as_images
from headwise.errors import InputError
from headwise.examples import Prompt, Response, prompt_with_images

ImagesOfRows: TypeAlias = Sequence[Sequence[ImageLike] | ImageLike | None] | None
"""The pictures of each row: a list, a single one, or None where there is none."""


def check_rows(prompts: Sequence[Prompt], responses: Sequence[Response]) -> None:
    """Checks that there is a prompt for each response.

    Raises:
        InputError: There are other numbers of them.
    """
    if len(prompts) != len(responses):
        raise InputError(
            f"score needs one prompt a response; got {len(prompts)} prompts and "
            f"{len(responses)} responses."
        )


def prompts_shown(prompts: Sequence[Prompt], images: ImagesOfRows) -> list[Prompt]:
    """Prompts with the pictures that were given beside them in their places.

    Args:
        prompts: `n` prompts.
        images: The pictures of each of them; None where there are none beside the prompts.

    Returns:
        `n` prompts.

    Raises:
        InputError: There are other numbers of rows, or a row's pictures do not fit its prompt;
            names the row.
    """
    if images is None:
        images = [None] * len(prompts)
    if len(images) != len(prompts):
        raise InputError(
            f"images needs one list a row; got {len(images)} lists and {len(prompts)} prompts."
        )
    shown = []
    for row, (prompt, given) in enumerate(zip(prompts, images, strict=True)):
        try:
            shown.append(prompt_with_images(prompt, as_images(given, origin=f"row {row}")))
        except InputError as error:
            raise InputError(f"Row {row}: {error}") from error
    return shown
