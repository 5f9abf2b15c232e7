"""Classifiers and answer methods by the names that the command line knows, headwise's own too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from headwise.baselines.answering import (
    ChainOfThoughtAnswers,
    CompositionalAnswers,
    TaskVectorAnswers,
    ZeroShotAnswers,
)
from headwise.baselines.features import Features, FeatureSettings
from headwise.baselines.in_context import InContextAnswersBaseline, InContextBaseline
from headwise.baselines.lora import LoraBaseline
from headwise.baselines.lora_training import LoraTraining
from headwise.baselines.nearest_neighbour import NearestNeighbourBaseline
from headwise.baselines.probes import ProbeBaseline
from headwise.baselines.shots import ShotBudget
from headwise.baselines.zero_shot_classes import ZeroShotBaseline, ZeroShotGeneratedBaseline
from headwise.errors import InputError
from headwise.methods.asking import AnswerSettings
from headwise.methods.contracts import AnswerMethod, ClassifierMethod
from headwise.methods.sparse_attention_vectors import SparseAttentionVectors
from headwise.methods.task_vectors import TaskVectors

Make = TypeVar("Make")


@dataclass(frozen=True, slots=True)
class ClassifierOptions:
    """What all classifiers that are had by name share; everything else is their default.

    Args:
        instruction: The user's turn; see `SparseAttentionVectors`.
        system: A system turn before it.
        max_text_tokens: Longer texts are cut in the middle.
        seed: Seed of whatever is drawn.
    """

    instruction: str = "{text}"
    system: str | None = None
    max_text_tokens: int = 2_048
    seed: int = 0

    def features(self, which: Features) -> FeatureSettings:
        """The settings of what looks at features."""
        return FeatureSettings(which, self.instruction, self.system, self.max_text_tokens)


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """What all answer methods that are had by name share; everything else is their default.

    Args:
        settings: What answers are, and how they are had.
        seed: Seed of whatever is drawn.
    """

    settings: AnswerSettings = field(default_factory=AnswerSettings)
    seed: int = 0


def _sav(options: ClassifierOptions) -> ClassifierMethod:
    return SparseAttentionVectors(
        instruction=options.instruction,
        system=options.system,
        max_text_tokens=options.max_text_tokens,
        seed=options.seed,
    )


def _zero_shot(options: ClassifierOptions) -> ZeroShotBaseline:
    return ZeroShotBaseline(
        instruction=options.instruction,
        system=options.system,
        max_text_tokens=options.max_text_tokens,
    )


def _zero_shot_generated(options: ClassifierOptions) -> ClassifierMethod:
    return ZeroShotGeneratedBaseline(
        instruction=options.instruction,
        system=options.system,
        max_text_tokens=options.max_text_tokens,
    )


def _in_context(options: ClassifierOptions) -> InContextBaseline:
    return InContextBaseline(
        ShotBudget(seed=options.seed),
        instruction=options.instruction,
        system=options.system,
        max_text_tokens=options.max_text_tokens,
    )


def _lora(options: ClassifierOptions) -> ClassifierMethod:
    return LoraBaseline(
        LoraTraining(seed=options.seed),
        instruction=options.instruction,
        system=options.system,
        max_text_tokens=options.max_text_tokens,
    )


CLASSIFIERS: Mapping[str, Callable[[ClassifierOptions], ClassifierMethod]] = MappingProxyType(
    {
        "sav": _sav,
        "sav-paper": lambda options: SparseAttentionVectors.paper(
            instruction=options.instruction, system=options.system
        ),
        "zero-shot": _zero_shot,
        "zero-shot-generated": _zero_shot_generated,
        "zero-shot-calibrated": lambda options: replace(_zero_shot(options), calibration="support"),
        "in-context": _in_context,
        "in-context-calibrated": lambda options: replace(
            _in_context(options), calibration="content_free"
        ),
        "probe": lambda options: ProbeBaseline(options.features("heads"), options.seed),
        "probe-hidden": lambda options: ProbeBaseline(options.features("hidden"), options.seed),
        "nearest-neighbour": lambda options: NearestNeighbourBaseline(options.features("hidden")),
        "nearest-neighbour-heads": lambda options: NearestNeighbourBaseline(
            options.features("heads")
        ),
        "lora": _lora,
    }
)
"""What makes the classifier method of each name."""

ANSWER_METHODS: Mapping[str, Callable[[AnswerOptions], AnswerMethod]] = MappingProxyType(
    {
        "zero-shot": lambda options: ZeroShotAnswers(options.settings),
        "zero-shot-cot": lambda options: ChainOfThoughtAnswers(options.settings),
        "ccot": lambda options: CompositionalAnswers(options.settings),
        "in-context": lambda options: InContextAnswersBaseline(
            options.settings, ShotBudget(seed=options.seed)
        ),
        "task-vector": lambda options: TaskVectorAnswers(
            options.settings, TaskVectors(seed=options.seed)
        ),
    }
)
"""What makes the answer method of each name."""


def classifier_method(name: str, options: ClassifierOptions | None = None) -> ClassifierMethod:
    """The classifier method of a name.

    Args:
        name: One of `CLASSIFIERS`.
        options: What is not its default.

    Returns:
        The method.

    Raises:
        InputError: The name is unknown, or an option out of range.
    """
    return _named(name, CLASSIFIERS, "classifiers")(options or ClassifierOptions())


def answer_method(name: str, options: AnswerOptions | None = None) -> AnswerMethod:
    """The answer method of a name.

    Args:
        name: One of `ANSWER_METHODS`.
        options: What is not its default.

    Returns:
        The method.

    Raises:
        InputError: The name is unknown, or an option out of range.
    """
    return _named(name, ANSWER_METHODS, "answer methods")(options or AnswerOptions())


def _named(name: str, known: Mapping[str, Make], what: str) -> Make:
    if name not in known:
        raise InputError(f"There is no {name!r} among the {what}; choose {', '.join(known)}.")
    return known[name]
