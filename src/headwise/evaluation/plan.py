"""What an evaluation runs: which methods, on which support, over which items, in which order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from headwise.artifacts.versions import package_versions
from headwise.content import content_key as response_key
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.evaluation.contenders import Contender
from headwise.evaluation.items import Benchmark, Item, QuestionItem
from headwise.evaluation.splits import (
    content_key,
    require_disjoint,
    sampled,
    take_out,
)
from headwise.jobs import CHUNK_ROWS, even_spans

FitOn = Literal["all", "split", "transfer"]
"""One support over all splits; each split its own; or each split's support for all the others."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One method, fitted once (or once a split) and put to every item.

    Args:
        contender: The method.
        shots: Support examples, of each class where there are classes.
        seed: Which ones, and every other random choice.
        fitted_on: The split that it learned from, in a transfer; else None.
    """

    contender: Contender
    shots: int
    seed: int
    fitted_on: str | None = None

    @property
    def name(self) -> str:
        """For people."""
        seen = f", {self.shots} shots, seed {self.seed}" if self.contender.uses_seed else ""
        source = f", fitted on {self.fitted_on}" if self.fitted_on is not None else ""
        return f"{self.contender.name}{seen}{source}"


@dataclass(frozen=True, slots=True)
class Step:
    """Some items that one trial is put to at a time.

    Args:
        trial: The trial.
        source: The split whose support it is fitted on; None for that of all.
        target: The split of the items; None where they are of any.
        places: Positions of the items among the scored ones.
        is_first: Whether it is the first of its trial and target.
    """

    trial: Trial
    source: str | None
    target: str | None
    places: tuple[int, ...]
    is_first: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is run; made by `Plan.of`.

    Args:
        benchmark: The data's scoring rule.
        contenders: The methods, by distinct names.
        pool: Items that support is drawn from.
        scored: Items that are scored; none asks what one of the pool asks.
        shots: Numbers of support examples.
        seeds: Seeds.
        fit_on: What a method is fitted on.
        chunk: Items that are put to a method, and written, at a time.

    Raises:
        InputError: Anything is missing or doubled, or support and test overlap.
    """

    benchmark: Benchmark
    contenders: tuple[Contender, ...]
    pool: tuple[Item, ...]
    scored: tuple[Item, ...]
    shots: tuple[int, ...]
    seeds: tuple[int, ...]
    fit_on: FitOn = "all"
    chunk: int = CHUNK_ROWS

    def __post_init__(self) -> None:
        for what, values in (
            ("method", [contender.name for contender in self.contenders]),
            ("number of shots", list(self.shots)),
            ("seed", list(self.seeds)),
            ("item", [item.id for item in self.scored]),
        ):
            if not values:
                raise InputError(f"There is no {what}; give one at least.")
            twice = {str(value) for value in values if values.count(value) > 1}  # type: ignore[arg-type]
            if twice:
                raise InputError(f"Each {what} may be there once; twice: {sorted(twice)[0]!r}.")
        if min(self.shots) < 0 or min(self.seeds) < 0 or self.chunk < 1:
            raise InputError("Shots and seeds are 0 at least, and a chunk is 1 at least.")
        if self.fit_on not in get_args(FitOn):
            raise InputError(f"fit_on is one of {get_args(FitOn)}; got {self.fit_on!r}.")
        if self.fit_on == "transfer" and len(self.splits) < 2:
            raise InputError(
                "A transfer needs two splits at least; the data has one. Give it a column `split`."
            )
        require_disjoint(self.pool, self.scored)

    @classmethod
    def of(
        cls,
        benchmark: Benchmark,
        items: Sequence[Item],
        contenders: Sequence[Contender],
        *,
        support: Sequence[Item] | None = None,
        shots: Sequence[int] = (20,),
        seeds: Sequence[int] = (0, 1, 2, 3, 4),
        fit_on: FitOn = "all",
        limit: int | None = None,
        chunk: int = CHUNK_ROWS,
    ) -> Plan:
        """Plans an evaluation.

        Args:
            benchmark: The data's scoring rule.
            items: Items to score; where there is no support of its own, it is taken out of them.
            contenders: What is compared.
            support: Items to draw support from; None where there are none of their own. What is
                then taken out follows from the items, shots, seeds and `fit_on` alone, so that
                results of other methods can be put beside.
            shots: Numbers of support examples: of each class where items have classes, else in all.
            seeds: One support set is drawn for each.
            fit_on: `"all"` fits once, on support of any split; `"split"` fits for each split on its
                own support; `"transfer"` fits on each split's support and puts that to all.
            limit: Score about so many items, drawn by chance; all where None.
            chunk: Items that are written at a time.

        Returns:
            The plan.

        Raises:
            InputError: See `Plan`; or there are too few items for the shots.
        """
        if support is None:
            # Whoever takes part: results of several runs are then of the same items.
            most = max(shots, default=0)
            parts = take_out(items, most, len(seeds), by_split=fit_on != "all")
            pool, scored = parts.pool, parts.scored
        else:
            pool, scored = tuple(support), tuple(items)
        return cls(
            benchmark,
            tuple(contenders),
            pool,
            sampled(scored, limit),
            tuple(shots),
            tuple(seeds),
            fit_on,
            chunk,
        )

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of the scored items, in order of appearance."""
        return tuple(dict.fromkeys(item.split for item in self.scored))

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Everything that is run, in order."""
        found = []
        for contender in self.contenders:
            learns = contender.uses_support
            sources = self.splits if learns and self.fit_on == "transfer" else (None,)
            for shots in self.shots if learns else (0,):
                for seed in self.seeds if contender.uses_seed else self.seeds[:1]:
                    found += [Trial(contender, shots, seed, source) for source in sources]
        return tuple(found)

    def steps(self) -> list[Step]:
        """The chunks of all trials, in order; each is written once it is done."""
        found = []
        for trial in self.trials:
            for source, target in self._fits(trial):
                places = [
                    place
                    for place, item in enumerate(self.scored)
                    if target is None or item.split == target
                ]
                for span in even_spans(len(places), self.chunk):
                    chosen = tuple(places[span.start : span.stop])
                    found.append(Step(trial, source, target, chosen, span.start == 0))
        return found

    def _fits(self, trial: Trial) -> list[tuple[str | None, str | None]]:
        if not trial.contender.uses_support or self.fit_on == "all":
            return [(None, None)]
        if self.fit_on == "split":
            return [(split, split) for split in self.splits]
        return [(trial.fitted_on, split) for split in self.splits]

    def identity(self, engine: Engine) -> dict[str, str]:
        """What makes two runs the same, by name; rows of two runs never end up in one file."""
        model = asdict(engine.fingerprint)
        methods = {c.name: [c.role, c.settings] for c in self.contenders}
        return {
            "benchmark": self.benchmark.header.name,
            "model": json.dumps(model, sort_keys=True),
            "items": items_digest(self.scored),
            "support": items_digest(self.pool),
            "methods": json.dumps(methods, sort_keys=True),
            "shots": json.dumps(self.shots),
            "seeds": json.dumps(self.seeds),
            "fit_on": self.fit_on,
            "chunk": str(self.chunk),
            "versions": json.dumps(package_versions(), sort_keys=True),
        }


def items_digest(items: Sequence[Item]) -> str:
    """A hash of everything that items ask and hold for right."""
    found = hashlib.sha256()
    for item in items:
        if isinstance(item, QuestionItem):
            fields = sorted(item.example.fields.items())
            rest: object = [item.example.label, item.options, item.references, fields]
        else:
            rest = [[response_key(answer) for answer in item.responses], item.n_right]
        trait = [item.id, item.split, item.group, sorted(item.tags.items()), content_key(item)]
        found.update(json.dumps([trait, rest]).encode())
    return found.hexdigest()
