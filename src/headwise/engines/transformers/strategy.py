"""Finds the fastest way to run masked variants that gives this model's losses right, by trying.

Nothing is concluded from names or settings alone: kernels ignore masks, positions are counted
rather than given, and what fails does so silently. A trial compares each way with plain whole
sequences, on a prompt and masks for which a mistake shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from headwise.engines.transformers.batching import Request
from headwise.engines.transformers.forward import read_heads
from headwise.engines.transformers.frozen import FrozenModel
from headwise.engines.transformers.locate import layout_of
from headwise.engines.transformers.masks import Strategy, Variants, variant_losses
from headwise.engines.transformers.packing_trial import shortest_window
from headwise.engines.transformers.prefix_store import PrefixStore
from headwise.heads import HeadVectors

_TRIAL_TOKENS = 24
_TRIAL_TARGET = 2
_TRIAL_MASKS = 16
# Nats (standard deviation over the variants) below which a trial tells nothing.
_DISTINCT = 0.1


@dataclass(frozen=True, slots=True)
class _Precision:
    """What a trial can expect of a dtype.

    Args:
        scales: Sizes of the vectors put into heads, as multiples of the model's own activations;
            the first that tells the variants apart is taken. Larger ones drown rounding, but the
            context as well, and with it the mistakes that are looked for.
        allowed_parallel: Root mean square error allowed of parallel queries, as a share of the
            losses' standard deviation, on every prompt.
        allowed_expanded: The same of the expanded batch, the way in which every model generates.
    """

    scales: tuple[float, ...]
    allowed_parallel: float
    allowed_expanded: float


# Measured on the families of the conformance tests and on SmolLM2: a right way errs by 1e-4 at most
# in float32 and 0.03 in bfloat16, one that ignores the mask by 0.2 and 0.06 at least.
_EXACT = _Precision((1.0, 10.0, 100.0), 0.002, 0.002)
_ROUNDED = _Precision((10.0, 100.0), 0.05, 0.2)


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    variants: tuple[Variants, ...]
    expected: Tensor

    def error(self, found: Tensor) -> float:
        """Root mean square error as a share of the losses' deviation, of the worst prompt."""
        errors = (found - self.expected).square().mean(dim=0).sqrt()
        return float((errors / self.expected.std(dim=0)).max())


class StrategyChooser:
    """Chooses for each length the fastest strategy that gives a model's losses right.

    Args:
        frozen: The model.
    """

    def __init__(self, frozen: FrozenModel) -> None:
        self._frozen = frozen
        self._chosen: dict[tuple[int, bool], Strategy] = {}

    def choose(self, length: int) -> Strategy:
        """The strategy for prompts of some length; tried once for similar lengths.

        Args:
            length: Tokens of a prompt and its target; windows shorter than it rule out parallel
                queries.

        Returns:
            The strategy; `"whole"`, which is right by definition, where no other is or where none
            can be told from it.
        """
        if not self._frozen.shares_prefixes:
            return "whole"
        rounded = 1 << max(length - 1, 1).bit_length()
        fits = rounded + _TRIAL_TARGET <= shortest_window(self._frozen.model)
        key = (min(rounded, _TRIAL_TOKENS), fits)
        if key not in self._chosen:
            self._chosen[key] = _choose(self._frozen, *key)
        return self._chosen[key]


@torch.no_grad()
def _choose(frozen: FrozenModel, length: int, fits_window: bool) -> Strategy:
    precision = _EXACT if frozen.model.dtype == torch.float32 else _ROUNDED
    trial = _distinct_trial(frozen, precision.scales, length)
    if trial is None:
        return "whole"
    allowed: dict[Strategy, float] = {"expanded": precision.allowed_expanded}
    if fits_window:
        parallel: dict[Strategy, float] = dict.fromkeys(
            ("grouped", "parallel"), precision.allowed_parallel
        )
        allowed = {**parallel, **allowed}
    store = PrefixStore(frozen.run, byte_budget=0)
    for strategy, limit in allowed.items():
        try:
            found = variant_losses(frozen, store, trial.variants, strategy)
        except (RuntimeError, ValueError, TypeError, NotImplementedError):
            continue
        if trial.error(found) <= limit:
            return strategy
    return "whole"


def _distinct_trial(frozen: FrozenModel, scales: tuple[float, ...], length: int) -> _Trial | None:
    """A trial whose variants have clearly different losses, or None where no scale gives one."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = int(frozen.model.config.get_text_config(decoder=True).vocab_size)
    tokens = torch.randint(vocabulary, (length + _TRIAL_TARGET,), generator=generator)
    ids, target = tuple(tokens[:-_TRIAL_TARGET].tolist()), tuple(tokens[-_TRIAL_TARGET:].tolist())
    # A second, shorter prompt, since prompts run together, padded.
    prompts = (ids, ids[::-1][: max(2, length * 2 // 3)])
    n_heads = sum(entry.n_heads for entry in frozen.located)
    masks = torch.rand(_TRIAL_MASKS, n_heads, generator=generator) < 0.5
    units = _unit_vectors(frozen, ids, generator)
    store = PrefixStore(frozen.run, byte_budget=0)
    for scale in scales:
        vectors = HeadVectors(units.layout, tuple(scale * value for value in units.values))
        variants = tuple(Variants(prompt, target, vectors, masks) for prompt in prompts)
        expected = variant_losses(frozen, store, variants, "whole")
        spread = expected.std(dim=0)
        if bool(torch.isfinite(expected).all()) and float(spread.min()) >= _DISTINCT:
            return _Trial(variants, expected)
    return None


def _unit_vectors(
    frozen: FrozenModel, ids: tuple[int, ...], generator: torch.Generator
) -> HeadVectors:
    """Random vectors as large as the model's own activations, layer by layer."""
    activations = read_heads(frozen, [Request.last_token(ids)], None)
    values = tuple(
        torch.randn(layer.shape[1:], generator=generator) * layer.square().mean().sqrt()
        for layer in activations
    )
    return HeadVectors(layout_of(frozen.located), values)
