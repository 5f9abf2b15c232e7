"""Nouns for attention heads: which head, its activations, and how to steer it."""

from headwise.heads.activations import HeadActivations, HeadVectors
from headwise.heads.index import HeadIndex, HeadSet
from headwise.heads.layout import HeadLayout, LayerHeads
from headwise.heads.steering import (
    Operation,
    Positions,
    Steering,
    Steerings,
    in_common,
    steering_of_each,
)

__all__ = [
    "HeadActivations",
    "HeadIndex",
    "HeadLayout",
    "HeadSet",
    "HeadVectors",
    "LayerHeads",
    "Operation",
    "Positions",
    "Steering",
    "Steerings",
    "in_common",
    "steering_of_each",
]
