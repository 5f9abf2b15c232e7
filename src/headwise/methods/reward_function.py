"""A reward as a plain function that trainers call: TRL's `GRPOTrainer` and `RLOOTrainer`.

TRL tests for `nn.Module` first and drops the pictures of what is one, so this is none; and it needs
no TRL, since all that TRL asks for is a call with keywords.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

import numpy as np

from headwise.errors import HeadwiseError, InputError, shortened
from headwise.examples import Prompt, Response
from headwise.methods.reward_details import CriteriaDetails, RewardDetails
from headwise.methods.reward_inputs import ImagesOfRows
from headwise.methods.reward_portable import PortableReward
from headwise.methods.trainer_chats import trainer_prompt, trainer_response
from headwise.methods.truncation import TruncationWarning

LogMetric = Callable[[str, float], None]
LogExtra = Callable[[str, list[object]], None]


class DetailedReward(Protocol):
    """A `RewardModel`, or `Rewards`."""

    def score_each(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesOfRows = None,
        *,
        progress: bool = False,
    ) -> RewardDetails | CriteriaDetails:
        """Rewards with what they were made of."""


@dataclass(eq=False)
class RewardFunction:
    """A reward that TRL's trainers take as it is; made by `reward.as_trl()`.

    It is pickled as what the reward learnt and which model that belongs to; where it is unpickled,
    the model is loaded at the first call. A reward whose model can't be loaded again is not
    pickled.

    Args:
        reward: The reward; None where it is loaded at the first call.
        name: What trainers call it in their metrics.
        portable: What to load it from, where `reward` is None.
    """

    reward: DetailedReward | None
    name: str
    portable: PortableReward | None = None
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.name or self.name != self.name.strip():
            raise InputError(f"The name of a reward function is a word; got {self.name!r}.")

    @property
    def __name__(self) -> str:
        """What trainers call it in their metrics."""
        return self.name

    def __call__(
        self,
        prompts: Sequence[object],
        completions: Sequence[object],
        *,
        log_metric: LogMetric | None = None,
        log_extra: LogExtra | None = None,
        **columns: object,
    ) -> list[float]:
        """The reward of each completion, from one call of the model for the whole batch.

        Args:
            prompts: `n` prompts: strings, or chat messages, which may show pictures.
            completions: `n` completions: strings, or lists of the messages that the model wrote.
            log_metric: Given the share of rows that were cut and the mean of each readout and
                criterion, once a batch each.
            log_extra: Given each readout's and criterion's values, one a row.
            columns: Whatever else the trainer gives. Of a column `images` or `image`, the pictures
                of prompts that show none themselves are used; the others are not.

        Returns:
            `n` finite rewards.

        Raises:
            InputError: Counts differ, or a prompt or completion is malformed; names the row.
            HeadwiseError: The model made NaN or infinity of a row.
        """
        if len(prompts) != len(completions):
            raise InputError(
                f"There are {len(prompts)} prompts and {len(completions)} completions; a trainer "
                "gives one prompt a completion."
            )
        if not len(prompts):
            return []
        shown, responses = _rows(prompts, completions, columns)
        with self._lock, warnings.catch_warnings():
            if log_metric is not None:
                # The metric says it at every step.
                warnings.simplefilter("ignore", TruncationWarning)
            details = self._loaded().score_each(shown, responses)
        _require_finite(details, self.name)
        if log_metric is not None:
            _log_metrics(details, self.name, log_metric)
        if log_extra is not None:
            _log_columns(details, self.name, log_extra)
        return [float(reward) for reward in details.rewards]

    def __getstate__(self) -> dict[str, object]:
        """What is pickled: the name, and what the reward is loaded from.

        Raises:
            HeadwiseError: The reward's model can't be loaded again.
        """
        portable = self.portable or PortableReward.of(self.reward)
        return {"name": self.name, "portable": portable}

    def __setstate__(self, state: Mapping[str, object]) -> None:
        """Takes what was pickled; the model is loaded at the first call."""
        self.__dict__.update(state, reward=None, _lock=Lock())

    def _loaded(self) -> DetailedReward:
        if self.reward is None:
            if self.portable is None:
                raise InputError("A RewardFunction needs a reward; make it with reward.as_trl().")
            self.reward = self.portable.load()
        return self.reward


def _rows(
    prompts: Sequence[object], completions: Sequence[object], columns: Mapping[str, object]
) -> tuple[list[Prompt], list[Response]]:
    beside = _images_beside(columns, len(prompts))
    shown: list[Prompt] = []
    responses: list[Response] = []
    for row, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        try:
            shown.append(trainer_prompt(prompt, beside[row]))
            responses.append(trainer_response(completion))
        except InputError as error:
            raise InputError(f"Row {row}: {error}") from error
    return shown, responses


def _images_beside(columns: Mapping[str, object], n_rows: int) -> list[list[object]]:
    """The pictures of each row that stand in a column of their own."""
    given = columns.get("images", columns.get("image"))
    if given is None:
        return [[] for _ in range(n_rows)]
    if not isinstance(given, Sequence) or len(given) != n_rows:
        raise InputError(
            f"The column of images must have one value a row, {n_rows} in all; got "
            f"{shortened(given)}."
        )
    return [_pictures(value) for value in given]


def _pictures(value: object) -> list[object]:
    """The pictures of one row; names of files are none, for no trainer shows them."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [picture for one in value for picture in _pictures(one)]
    return [] if value is None or isinstance(value, str) else [value]


def _require_finite(details: RewardDetails | CriteriaDetails, name: str) -> None:
    bad = np.flatnonzero(~np.isfinite(details.rewards)).tolist()
    if bad:
        raise HeadwiseError(
            f"The reward {name!r} is NaN or infinite for {len(bad)} of {len(details.rewards)} rows "
            f"(the first is row {bad[0]}), which a trainer would leave out in silence. Load the "
            "reward's model in float32."
        )


def _log_metrics(
    details: RewardDetails | CriteriaDetails, name: str, log_metric: LogMetric
) -> None:
    log_metric(f"{name}/truncated", float(details.truncated.mean()))
    for column, values in _columns(details, name).items():
        log_metric(column, float(np.mean(values)))


def _log_columns(details: RewardDetails | CriteriaDetails, name: str, log_extra: LogExtra) -> None:
    for column, values in _columns(details, name).items():
        log_extra(column, list(values))


def _columns(details: RewardDetails | CriteriaDetails, name: str) -> dict[str, list[float]]:
    """What a trainer may want to see: each criterion's rewards, and the margins of readouts."""
    if isinstance(details, RewardDetails):
        margins = {"steered_margin": details.steered, "sparse_margin": details.sparse}
        return {
            f"{name}/{what}": values.tolist()
            for what, values in margins.items()
            if values is not None
        }
    found: dict[str, list[float]] = {}
    for criterion, one in details.criteria.items():
        found[f"{name}/{criterion}"] = one.rewards.tolist()
        found |= _columns(one, f"{name}/{criterion}")
    return found
