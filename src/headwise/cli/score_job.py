"""What `score` does with a reward model: columns gained, and figures over all rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from headwise.cli.cuts import untold_cuts, warn_of_cuts
from headwise.cli.figures import JobFigures, ScoreFigures
from headwise.cli.inputs import Lines, lines_of, texts_of
from headwise.cli.models import LoadedLater, ModelChoice
from headwise.cli.rows import Target, Written, job_identity, write_rows
from headwise.errors import InputError
from headwise.examples import Judgement, Preference, Prompt, Response, group_by_prompt
from headwise.jobs import Row, spans_of_groups
from headwise.readers import ReadResult

if TYPE_CHECKING:
    from headwise.artifacts import ArtifactRecord
    from headwise.methods.reward_model import RewardModel
    from headwise.methods.rewards import Rewards
    from headwise.methods.rewards_folder import RewardsRecord

T = TypeVar("T", Preference, Judgement)
Gain = dict[str, float | dict[str, float]]


@dataclass(frozen=True, slots=True)
class ScoredLines:
    """Responses with their rewards.

    Args:
        figures: The figures.
        rows: `reward` and `truncated` of each; null where an image could not be decoded.
    """

    figures: ScoreFigures
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """A reward model put to a file.

    Args:
        record: The reward model, or several criteria's.
        target: Where the rows go.
        choice: Where its language model is.
        options: Every option that can change a row.
        quiet: Whether to show no progress.
    """

    record: ArtifactRecord | RewardsRecord
    target: Target
    choice: ModelChoice
    options: Mapping[str, str | bool | None]
    quiet: bool

    @property
    def is_ranked(self) -> bool:
        """Whether responses are compared, not judged one by one."""
        from headwise.methods.load import compares

        return compares(self.record)

    @property
    def _apart(self) -> tuple[str, ...]:
        """The column that tells criteria apart, where there are several."""
        from headwise.methods.rewards_folder import RewardsRecord

        return ("criteria",) if isinstance(self.record, RewardsRecord) else ()

    def of_pairs(self, result: ReadResult[Preference]) -> ScoreFigures:
        """Writes the margin of every pair.

        Args:
            result: The pairs.

        Returns:
            The figures.
        """
        rewards = () if self.is_ranked else ("reward_chosen", "reward_rejected")
        gained = (*rewards, "margin", *self._apart)
        lines = lines_of(result, (*gained, "truncated"))
        model = self._model()
        compute = _compared if self.is_ranked else _judged_pairs
        written = self._write(model, lines, compute, gained)
        return _pair_figures(lines, written, model.load_seconds)

    def of_responses(self, result: ReadResult[Judgement]) -> ScoreFigures:
        """Writes the reward of every response.

        Args:
            result: The responses.

        Returns:
            The figures.

        Raises:
            InputError: The form is ranked, and some prompt has one response only.
        """
        lines = lines_of(result, ("reward", *self._apart, "truncated"))
        return self.of_lines(result, lines).figures

    def of_lines(self, result: ReadResult[Judgement], lines: Lines[Judgement]) -> ScoredLines:
        """Writes the reward of every response, and keeps them; see `of_responses`.

        Args:
            result: The responses.
            lines: The same as lines.

        Returns:
            The figures, and the columns that each line gained.

        Raises:
            InputError: As for `of_responses`.
        """
        spans = None
        if self.is_ranked:
            _require_rivals(result)
            spans = spans_of_groups(judgement.shown_prompt for judgement in result.items)
        model = self._model()
        written = self._write(model, lines, _judged, ("reward", *self._apart), spans)
        rows = [{name: row[name] for name in ("reward", "truncated")} for row in written.rows]
        kept = Written(written.report, rows)
        figures = _response_figures(lines, kept, model.load_seconds, is_ranked=self.is_ranked)
        return ScoredLines(figures, tuple(rows))

    def _model(self) -> LoadedLater[RewardModel | Rewards]:
        from headwise.methods.load import reward_of

        return LoadedLater(partial(reward_of, self.record), self.record, self.choice, self.quiet)

    def _write(
        self,
        model: LoadedLater[RewardModel | Rewards],
        lines: Lines[T],
        gains: Callable[[RewardModel | Rewards, Sequence[T]], list[Gain]],
        gained: Sequence[str],
        spans: Sequence[range] | None = None,
    ) -> Written:
        def gains_and_cuts(items: Sequence[T]) -> list[Row]:
            with untold_cuts():
                found = gains(model.value, items)
            return [
                {**gain, "truncated": model.engine.has_cut(texts_of(item))}
                for item, gain in zip(items, found, strict=True)
            ]

        return write_rows(
            self.target,
            lines,
            gains_and_cuts,
            job_identity(self.record, lines, self.options),
            gained=(*gained, "truncated"),
            spans=spans,
            description="" if self.quiet else "Scoring",
        )


def _judged(model: RewardModel | Rewards, items: Sequence[Judgement]) -> list[Gain]:
    found = _scored(model, [i.shown_prompt for i in items], [i.completion for i in items])
    gains: list[Gain] = [{"reward": reward} for reward in found.total]
    return _with_criteria(gains, found.criteria)


def _judged_pairs(model: RewardModel | Rewards, pairs: Sequence[Preference]) -> list[Gain]:
    prompts = [pair.shown_prompt for pair in pairs]
    responses = [*(pair.chosen for pair in pairs), *(pair.rejected for pair in pairs)]
    found = _scored(model, [*prompts, *prompts], responses)
    half = len(pairs)
    gains: list[Gain] = [
        {"reward_chosen": better, "reward_rejected": worse, "margin": better - worse}
        for better, worse in zip(found.total[:half], found.total[half:], strict=True)
    ]
    margins = {
        name: [a - b for a, b in zip(values[:half], values[half:], strict=True)]
        for name, values in found.criteria.items()
    }
    return _with_criteria(gains, margins)


def _compared(model: RewardModel | Rewards, pairs: Sequence[Preference]) -> list[Gain]:
    from headwise.methods.rewards import Rewards

    if not isinstance(model, Rewards):
        return [{"margin": margin} for margin in model.margins(pairs).tolist()]
    apart = {name: margins.tolist() for name, margins in model.margins_each(pairs).items()}
    gains: list[Gain] = [
        {"margin": sum(model.weights[name] * margins[row] for name, margins in apart.items())}
        for row in range(len(pairs))
    ]
    return _with_criteria(gains, apart)


@dataclass(frozen=True, slots=True)
class _Scored:
    """Rewards, and those of each criterion where there are several."""

    total: list[float]
    criteria: Mapping[str, list[float]]


def _scored(
    model: RewardModel | Rewards, prompts: Sequence[Prompt], responses: Sequence[Response]
) -> _Scored:
    from headwise.methods.rewards import Rewards

    if not isinstance(model, Rewards):
        return _Scored(model.score(prompts, responses).tolist(), {})
    details = model.score_each(prompts, responses)
    apart = {name: one.rewards.tolist() for name, one in details.criteria.items()}
    return _Scored(details.rewards.tolist(), apart)


def _with_criteria(gains: Sequence[Gain], criteria: Mapping[str, list[float]]) -> list[Gain]:
    if not criteria:
        return list(gains)
    return [
        {**gain, "criteria": {name: values[row] for name, values in criteria.items()}}
        for row, gain in enumerate(gains)
    ]


def _require_rivals(result: ReadResult[Judgement]) -> None:
    groups = group_by_prompt(judgement.shown_prompt for judgement in result.items)
    alone = [group[0] for group in groups if len(group) == 1]
    if alone:
        raise InputError(
            f"{result.locations[alone[0]]}: its prompt has one response only, as have "
            f"{len(alone)} prompts in all. The reward model is of the ranked form, which compares "
            "responses to the same prompt: give two at least for each, or fit one with "
            "--form scalar."
        )


def _pair_figures(lines: Lines[Preference], written: Written, load_seconds: float) -> ScoreFigures:
    margins = []
    wins_of_split: dict[str, list[float]] = defaultdict(list)
    n_cut = n_failed = 0
    for line, row in zip(lines.lines, written.rows, strict=True):
        if row["margin"] is None:
            n_failed += 1
            continue
        margin = _number(row["margin"])
        margins.append(margin)
        n_cut += bool(row["truncated"])
        if line.item.split is not None:
            wins_of_split[line.item.split].append(_win(margin))
    warn_of_cuts(n_cut, len(lines.lines))
    return ScoreFigures(
        job=JobFigures.of(lines, written, n_cut, load_seconds, failed_rows=n_failed),
        pair_accuracy=_mean([_win(margin) for margin in margins]),
        mean_margin=_mean(margins),
        pair_accuracy_by_split={
            name: sum(wins) / len(wins) for name, wins in wins_of_split.items()
        },
    )


def _response_figures(
    lines: Lines[Judgement], written: Written, load_seconds: float, *, is_ranked: bool
) -> ScoreFigures:
    rewards, right = [], []
    n_cut = n_failed = 0
    for line, row in zip(lines.lines, written.rows, strict=True):
        if row["reward"] is None:
            n_failed += 1
            continue
        reward = _number(row["reward"])
        rewards.append(reward)
        n_cut += bool(row["truncated"])
        if line.item.label is not None:
            right.append(float((reward > 0) == line.item.label))
    warn_of_cuts(n_cut, len(lines.lines))
    return ScoreFigures(
        job=JobFigures.of(lines, written, n_cut, load_seconds, failed_rows=n_failed),
        mean_reward=_mean(rewards),
        labelled_rows=len(right),
        accuracy=_mean(right) if right and not is_ranked else None,
    )


def _win(margin: float) -> float:
    """1 where the chosen response wins, half for a tie."""
    return 1.0 if margin > 0 else 0.5 if margin == 0 else 0.0


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
