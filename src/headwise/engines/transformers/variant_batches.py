"""Which variants of which prompts run in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headwise.engines.transformers.frozen import FrozenModel
from headwise.engines.transformers.masks import Strategy, Variants

# Tokens of a step. Measured on SmolLM2 (one core): a step of 256 costs a token 0.6 of what one of
# 32 does and a quarter of what one of 11 does. On a GPU logits set the limit: 1,024 of them take
# 0.6 GB with 150,000 tokens.
_CPU_STEP_TOKENS = 256
_GPU_STEP_TOKENS = 1_024


@dataclass(frozen=True, slots=True, eq=False)
class VariantBatch:
    """Variants that run together.

    Args:
        columns: The numbers of their prompts.
        first_mask: The number of the first of their masks.
        variants: One entry a prompt, all with the same masks and equally many target tokens.
        strategy: How they run.
    """

    columns: tuple[int, ...]
    first_mask: int
    variants: tuple[Variants, ...]
    strategy: Strategy

    @property
    def masks(self) -> slice:
        """The masks they hold."""
        return slice(self.first_mask, self.first_mask + len(self.variants[0].masks))


def variant_batches(
    frozen: FrozenModel, everything: Sequence[Variants], strategies: Sequence[Strategy]
) -> list[VariantBatch]:
    """Splits variants into steps, several prompts together where the strategy allows it.

    Args:
        frozen: The model.
        everything: One entry a prompt, all with the same masks.
        strategies: How each is to run.

    Returns:
        Batches that together hold every mask of every prompt once.
    """
    batches: list[VariantBatch] = []
    alike: dict[tuple[Strategy, int], list[int]] = {}
    for number, (one, strategy) in enumerate(zip(everything, strategies, strict=True)):
        if strategy in ("grouped", "parallel") and one.has_prefix:
            alike.setdefault((strategy, len(one.suffix)), []).append(number)
        else:
            batches.extend(_alone(frozen, number, one, strategy))
    for (strategy, _), numbers in alike.items():
        # Prompts of similar length together, since shorter ones are padded.
        order = sorted(numbers, key=lambda number: -len(everything[number].ids))
        while order:
            size = _rows(frozen, everything[order[0]])
            if size == 1:
                batches.extend(_alone(frozen, order[0], everything[order[0]], strategy))
            else:
                members = tuple(order[:size])
                together = tuple(everything[number] for number in members)
                batches.append(VariantBatch(members, 0, together, strategy))
            order = order[size:]
    return batches


def _rows(frozen: FrozenModel, longest: Variants) -> int:
    """How many prompts, none longer than this one, run in one step."""
    step = len(longest.masks) * len(longest.suffix)
    by_step = _step_tokens(frozen) // step
    return max(1, min(by_step, frozen.token_budget // (len(longest.ids) - 1 + step)))


def _alone(
    frozen: FrozenModel, number: int, one: Variants, strategy: Strategy
) -> list[VariantBatch]:
    length, budget = len(one.suffix), frozen.token_budget
    if strategy == "whole" or not one.has_prefix:
        length += len(one.ids)
    elif strategy != "expanded":
        budget = min(budget, _step_tokens(frozen))
    size = max(1, budget // length)
    return [
        VariantBatch((number,), start, (one.part(start, size),), strategy)
        for start in range(0, len(one.masks), size)
    ]


def _step_tokens(frozen: FrozenModel) -> int:
    return _CPU_STEP_TOKENS if frozen.model.device.type == "cpu" else _GPU_STEP_TOKENS
