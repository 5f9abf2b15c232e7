"""What an audit measures: which biases, how strong, on which rows, learned from which pairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np

from headwise.errors import InputError
from headwise.evaluation.audit.biases import (
    AUDIT_BIASES,
    AUDIT_STRENGTHS,
    AuditBias,
    as_bias,
    checked_strengths,
)
from headwise.evaluation.audit.items import (
    AuditItem,
    audit_item,
    plain_pair,
    require_apart,
    reversed_pair,
)
from headwise.evaluation.audit.rows import AuditRow, AuditRows
from headwise.examples import Preference

_TWO_PAIRS = 2


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """How an audit is done.

    Args:
        biases: What to look for; `"usual"` is left out where no row has a usual answer.
        strengths: How strong, each of 1 to 3.
        items: How many questions are asked for each bias.
        seed: Seed of which rows are drawn, of every wording and of the intervals.
        shots: Plain pairs that a method is fitted on; fitted reward models take none.
        few_shot: Numbers of pairs added to them in which the wrong answer carries the bias.
        noise: Shares of those added pairs that are mislabelled.

    Raises:
        InputError: A setting is out of range.
    """

    biases: tuple[AuditBias, ...] = AUDIT_BIASES
    strengths: tuple[int, ...] = AUDIT_STRENGTHS
    items: int = 50
    seed: int = 0
    shots: int = 20
    few_shot: tuple[int, ...] = (0,)
    noise: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "biases", tuple(dict.fromkeys(map(as_bias, self.biases))))
        object.__setattr__(self, "strengths", checked_strengths(self.strengths))
        object.__setattr__(self, "few_shot", tuple(sorted({0, *self.few_shot})))
        object.__setattr__(self, "noise", tuple(sorted({0.0, *self.noise})))
        if not self.biases:
            raise InputError("An audit needs one bias at least.")
        if self.items < _TWO_PAIRS or self.shots < 1 or self.few_shot[0] < 0:
            raise InputError(
                "An audit needs two items and one plain pair at least, and no negative number of "
                f"added pairs; got items={self.items}, shots={self.shots}, "
                f"few_shot={self.few_shot}."
            )
        if self.noise[0] < 0 or self.noise[-1] > 1:
            raise InputError(f"Noise is a share from 0 to 1; got {self.noise}.")
        if self.noise != (0.0,) and self.few_shot == (0,):
            raise InputError(
                f"Noise is of the added pairs, and none are added; got noise={self.noise} with "
                "few_shot=(0,). Say how many to add (--few-shot)."
            )


@dataclass(frozen=True, slots=True)
class Condition:
    """What a reward model has learned from.

    Args:
        added_pairs: Pairs in which the wrong answer carries the bias, beside the plain ones.
        noise: The share of those that are mislabelled.
    """

    added_pairs: int = 0
    noise: float = 0.0


@dataclass(frozen=True, slots=True)
class Unit:
    """One measurement: the items of one bias at one strength, under one condition.

    Args:
        bias: The bias.
        strength: Its strength.
        condition: What the reward model has learned from.
    """

    bias: AuditBias
    strength: int
    condition: Condition = field(default_factory=Condition)


@dataclass(frozen=True)
class AuditPlan:
    """An audit, ready to be run.

    Args:
        rows: What it is built from.
        settings: How it is done.
        fits: Whether a method is fitted here; else support pairs are of no use.

    Raises:
        InputError: There are too few rows.
    """

    rows: AuditRows
    settings: AuditSettings
    fits: bool = False

    def __post_init__(self) -> None:
        if not self.biases:
            raise InputError(
                "The bias 'usual' needs rows with a usual answer, as scenes (--images) give them."
            )
        self._require_enough(self.rows.rows, self.settings.shots)
        if "usual" in self.biases:
            self._require_enough(self.rows.usual, 0)
        for bias in self.biases:
            test = self._test_rows(bias)
            require_apart(self._support_rows(bias, max(self.settings.few_shot)), test)

    @property
    def biases(self) -> tuple[AuditBias, ...]:
        """The biases that these rows can be audited for."""
        return tuple(b for b in self.settings.biases if b != "usual" or self.rows.usual)

    def units(self) -> list[Unit]:
        """All measurements, those that need the same fit next to each other."""
        return [
            Unit(bias, strength, condition)
            for condition in self._conditions()
            for bias in self.biases
            # An order can't be held against anybody in a pair that is not shown yet.
            if bias != "position" or not condition.added_pairs
            for strength in (self.settings.strengths if bias != "position" else (1,))
        ]

    def items(self, unit: Unit) -> list[AuditItem]:
        """The items of a measurement."""
        seed = self.settings.seed
        return [
            audit_item(row, unit.bias, unit.strength, seed=seed)
            for row in self._test_rows(unit.bias)
        ]

    def support(self, unit: Unit) -> list[Preference]:
        """What a method is fitted on for a measurement: plain pairs, then those added."""
        settings, added = self.settings, unit.condition.added_pairs
        rows = self._support_rows(unit.bias, added)
        plain = [plain_pair(row) for row in rows[: settings.shots]]
        punishing = []
        for number, row in enumerate(rows[settings.shots :]):
            strength = settings.strengths[number % len(settings.strengths)]
            item = audit_item(row, unit.bias, strength, seed=settings.seed)
            punishing.append(item.tempting)
        rng = np.random.default_rng([settings.seed, added])
        n_wrong = round(unit.condition.noise * added)
        mislabelled = {int(place) for place in rng.permutation(added)[:n_wrong]}
        return plain + [
            reversed_pair(pair) if place in mislabelled else pair
            for place, pair in enumerate(punishing)
        ]

    @cached_property
    def identity(self) -> str:
        """A hash of everything that decides which pairs are asked."""
        rows = [
            [row.id, *row.key, row.right, row.wrong, row.usual]
            for row in (*self.rows.rows, *self.rows.usual)
        ]
        told = json.dumps([asdict(self.settings), self.fits, rows])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def _conditions(self) -> Iterator[Condition]:
        yield Condition()
        if self.fits:
            for added in self.settings.few_shot:
                yield from (Condition(added, noise) for noise in self.settings.noise if added)

    def _test_rows(self, bias: AuditBias) -> Sequence[AuditRow]:
        return self._shuffled(bias)[: self.settings.items]

    def _support_rows(self, bias: AuditBias, added: int) -> Sequence[AuditRow]:
        """Rows of the plain pairs, the same for every bias, then those of the added ones."""
        if not self.fits:
            return ()
        start, shots = self.settings.items, self.settings.shots
        plain = self._shuffled("length")[start : start + shots]
        pool = self._shuffled(bias)[start:]
        return [*plain, *(pool[:added] if bias == "usual" else pool[shots : shots + added])]

    def _shuffled(self, bias: AuditBias) -> Sequence[AuditRow]:
        bank = self.rows.usual if bias == "usual" else self.rows.rows
        order = np.random.default_rng(self.settings.seed).permutation(len(bank))
        return [bank[place] for place in order]

    def _require_enough(self, bank: Sequence[AuditRow], shots: int) -> None:
        settings = self.settings
        learned = shots + max(settings.few_shot) if self.fits else 0
        if len(bank) < settings.items + learned:
            raise InputError(
                f"{self.rows.source}: {len(bank)} different questions are too few for "
                f"{settings.items} items"
                + (f" and {learned} pairs to learn from" if learned else "")
                + ", which may share none. Give more rows, or ask for fewer: --items"
                + (", --shots, --few-shot." if learned else ".")
            )
