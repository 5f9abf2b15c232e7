"""Chooses between the readouts of a reward model, or combines them, by held-out support."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from headwise.artifacts.json_value import JSON
from headwise.heads import Steering
from headwise.methods.reward_fitting import FittedSparse
from headwise.methods.reward_readouts import HeldOutReadout, ReadoutWeights
from headwise.selection.directions import DirectionReadout


@dataclass(frozen=True, slots=True, eq=False)
class ChosenReadout:
    """The readout of a reward model.

    Args:
        sparse: The sparse heads, where they are used.
        steering: The steered heads, where they are used.
        weights: How both are put together.
        statistics: The choice, and each candidate's held-out pair accuracy.
    """

    sparse: DirectionReadout | None
    steering: Steering | None
    weights: ReadoutWeights
    statistics: Mapping[str, JSON]


def choose_readout(
    sparse: FittedSparse | None,
    steered: HeldOutReadout | None,
    find_steering: Callable[[], Steering],
) -> ChosenReadout:
    """Takes the cheapest readout that no other clearly beats on held-out pairs.

    In order of cost: sparse, steered, both together. A dearer one is taken only where its log-loss
    is lower by more than a standard error: on few pairs a smaller lead is luck.

    Args:
        sparse: The sparse readout, where it is a candidate.
        steered: Held-out values of the steered readout, where it is a candidate.
        find_steering: Finds the steering on all support; called only where it is chosen, for the
            search is what costs.

    Returns:
        The choice, scaled so that a difference of two values is the log-odds of being better.
    """
    candidates: dict[str, HeldOutReadout] = {}
    if sparse is not None:
        candidates["sparse"] = sparse.held_out
    if steered is not None:
        candidates["steered"] = steered
    if sparse is not None and steered is not None:
        candidates["combined"] = sparse.held_out.plus(steered)
    best, *dearer = candidates
    for name in dearer:
        if candidates[name].clearly_better_than(candidates[best]):
            best = name
    scale = candidates[best].scale()
    weights = ReadoutWeights(sparse=0.0, steered=0.0)
    if sparse is not None and best != "steered":
        share = scale / sparse.held_out.spread if best == "combined" else scale
        weights = replace(weights, sparse=share, sparse_offset=sparse.held_out.middle)
    if steered is not None and best != "sparse":
        share = scale / steered.spread if best == "combined" else scale
        weights = replace(weights, steered=share, steered_offset=steered.middle)
    accuracies: dict[str, JSON] = {
        name: None if value.accuracy is None else round(value.accuracy, 4)
        for name, value in candidates.items()
    }
    return ChosenReadout(
        sparse=sparse.readout if sparse is not None and weights.sparse else None,
        steering=find_steering() if weights.steered else None,
        weights=weights,
        statistics={"readout": best, "held_out_accuracy": accuracies},
    )
