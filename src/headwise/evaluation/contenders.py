"""What is compared: methods and baselines by name, made anew for each seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from headwise.artifacts.json_value import JSON
from headwise.errors import InputError
from headwise.methods.answers import Answerer
from headwise.methods.contracts import (
    AnswerMethod,
    Classifier,
    ClassifierMethod,
    Rewarder,
    RewardMethod,
)

Method: TypeAlias = ClassifierMethod | RewardMethod | AnswerMethod
Fitted: TypeAlias = Classifier | Rewarder | Answerer
Role = Literal["method", "baseline"]


@dataclass(frozen=True, slots=True)
class Contender:
    """A method that is compared with others.

    Args:
        name: Its name in tables and on the command line.
        make: Makes it for a seed; settings only, nothing is loaded or learned yet.
        role: Whether it is one of headwise's methods, or what they are compared with.
        uses_support: Whether it learns from examples; one that does not runs once for all numbers
            of shots, and counts as having seen none.
        uses_seed: Whether the seed does anything to it; one that neither learns nor draws runs
            once for all seeds.
        settings: What else makes it what it is, for the record; runs of other settings are never
            gone on with.
    """

    name: str
    make: Callable[[int], Method]
    role: Role = "method"
    uses_support: bool = True
    uses_seed: bool = True
    settings: Mapping[str, JSON] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InputError("A method that is compared needs a name.")
        if self.uses_support and not self.uses_seed:
            raise InputError(
                f"{self.name!r} learns from examples, which are drawn by seed, so uses_seed must "
                "be true."
            )
