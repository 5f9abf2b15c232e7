"""Refuses requests that do not fit the model, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from headwise.errors import ActivationError, InputError
from headwise.heads import (
    HeadLayout,
    HeadSet,
    HeadVectors,
    Steering,
    Steerings,
    steering_of_each,
)


def check_heads(layout: HeadLayout, heads: HeadSet | None) -> None:
    """Checks that a model has the heads to be read.

    Args:
        layout: The model's heads.
        heads: The heads asked for; None for all.

    Raises:
        InputError: The set is empty, or a head does not exist.
    """
    if heads is None:
        return
    if not len(heads):
        raise InputError("An empty HeadSet has nothing to capture; name heads, or None for all.")
    for index in heads:
        layout.head_dim(index)


def check_steering(layout: HeadLayout, steering: Steering | None) -> None:
    """Checks that a steering fits a model.

    Args:
        layout: The model's heads.
        steering: What is to be steered; None for nothing.

    Raises:
        InputError: A head does not exist, or its vector has another width or is not finite.
    """
    if steering is None:
        return
    for index, vector in zip(steering.heads, steering.vectors, strict=True):
        width = layout.head_dim(index)
        if tuple(vector.shape) != (width,):
            raise InputError(
                f"The steering vector of {index} has shape {tuple(vector.shape)}; expected "
                f"({width},), the width of that head in this model."
            )
        _require_finite(vector * steering.scale, f"The scaled steering vector of {index}")


def checked_steerings(layout: HeadLayout, steering: Steerings, n: int) -> list[Steering | None]:
    """The steering of each of `n` conversations, all of which fit a model.

    Raises:
        InputError: There is another number of them, or one does not fit; see `check_steering`.
    """
    each = steering_of_each(steering, n)
    for one in dict.fromkeys(each):
        check_steering(layout, one)
    return each


def check_masks(
    layout: HeadLayout,
    targets: Sequence[str],
    vectors: HeadVectors,
    masks: Tensor,
    target_tokens: int | None,
    among: Sequence[str] | None,
) -> None:
    """Checks the arguments of `mask_losses`; see `Engine.mask_losses`.

    Args:
        layout: The model's heads.
        targets: The continuations.
        vectors: The vectors that replace masked heads.
        masks: `(S, H)` bool.
        target_tokens: How many of a target's tokens count.
        among: The continuations a target competes with.

    Raises:
        InputError: An argument does not fit the model or the others.
    """
    if vectors.layout != layout:
        raise InputError(
            "mask_losses needs a vector for every head of this model; the vectors given have "
            f"{vectors.layout.n_heads} heads in {len(vectors.layout.layers)} layers, the model "
            f"{layout.n_heads} in {len(layout.layers)}, or widths differ."
        )
    for entry, value in zip(layout.layers, vectors.values, strict=True):
        _require_finite(value, f"The replacement vectors of layer {entry.layer}")
    if masks.ndim != 2 or masks.shape[1] != layout.n_heads or masks.dtype != torch.bool:
        raise InputError(
            f"masks must be a bool tensor (S, {layout.n_heads}); got {masks.dtype} "
            f"{tuple(masks.shape)}."
        )
    if target_tokens is not None and target_tokens < 1:
        raise InputError(f"target_tokens is at least 1, or None for all; got {target_tokens}.")
    if among is not None and (target_tokens != 1 or not set(targets) <= set(among)):
        raise InputError("among needs target_tokens=1, and every target must be among them.")


def check_paired(n_conversations: int, n_targets: int) -> None:
    """Checks that every conversation has a target.

    Args:
        n_conversations: Conversations given.
        n_targets: Targets given.

    Raises:
        InputError: The counts differ.
    """
    if n_conversations != n_targets:
        raise InputError(
            f"There must be one target a conversation, or one list of them; got {n_conversations} "
            f"conversations and {n_targets} targets."
        )


def check_finite(values: Tensor, what: str) -> None:
    """Checks what a model computed.

    Args:
        values: What it computed.
        what: What that is, in the plural.

    Raises:
        ActivationError: A value is NaN or infinite.
    """
    if not bool(torch.isfinite(values).all()):
        raise ActivationError(
            f"The model gave NaN or infinite {what}. Try dtype='float32' or 'bfloat16' instead "
            "of float16."
        )


def check_strengths(strengths: Tensor | None, n: int, n_heads: int) -> Tensor:
    """Checks how far heads are replaced; see `GradientEngine.head_effects`.

    Args:
        strengths: `(H,)` or `(n, H)`; None for 0.
        n: Conversations.
        n_heads: `H`.

    Returns:
        `(n, H)` float32.

    Raises:
        InputError: Another shape, or a value that is not finite.
    """
    if strengths is None:
        return torch.zeros(n, n_heads)
    if tuple(strengths.shape) not in ((n_heads,), (n, n_heads)):
        raise InputError(
            f"strengths must be ({n_heads},) or ({n}, {n_heads}); got {tuple(strengths.shape)}."
        )
    _require_finite(strengths, "strengths")
    return strengths.detach().float().cpu().expand(n, n_heads)


def _require_finite(values: Tensor, what: str) -> None:
    if not bool(torch.isfinite(values).all()):
        raise InputError(f"{what} holds NaN or infinite values; expected finite ones.")
