"""`Rewards`: several criteria, each a reward model, judged together on one model."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from headwise.artifacts.matching import engine_for
from headwise.engines.base import Engine, ModelFingerprint
from headwise.errors import InputError
from headwise.examples import Preference, Prompt, Response
from headwise.methods.reward_asking import AskedPairs, AskedRows, ask, ask_pairs
from headwise.methods.reward_details import CriteriaDetails, RewardDetails
from headwise.methods.reward_function import RewardFunction
from headwise.methods.reward_inputs import ImagesOfRows, check_rows, prompts_shown
from headwise.methods.reward_judging import Judgements, judge
from headwise.methods.reward_model import RewardModel
from headwise.methods.rewards_folder import RewardsRecord, read_rewards, write_rewards
from headwise.methods.truncation import TextCutter

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Rewards:
    """A weighted set of reward models on one engine: a `Rewarder` like each of them.

    The reward of a response is the sum of `weight * reward` over the criteria. All criteria put
    their questions after the same prompt and response, so their sparse readouts share one reading
    of these; steered readouts need a call each, within which prompts are shared.

    Args:
        criteria: Reward models by the name of what they judge, such as `"correct"`; letters,
            digits, `_`, `-` and `.`, as the names become names of folders and of metrics.
        weights: What each criterion counts; 1 where it is not named, negative where less is
            better.

    Raises:
        InputError: There is no criterion, a name or weight is none, or the reward models run on
            different engines.
    """

    method: ClassVar[str] = "rewards"
    """What a server says it is."""

    def __init__(
        self, criteria: Mapping[str, RewardModel], weights: Mapping[str, float] | None = None
    ) -> None:
        given = dict(weights or {})
        _check(criteria, given)
        self.criteria: Mapping[str, RewardModel] = MappingProxyType(dict(criteria))
        self.weights: Mapping[str, float] = MappingProxyType(
            {name: float(given.get(name, 1.0)) for name in criteria}
        )
        first = next(iter(criteria.values()))
        self.engine: Engine = first.engine
        self.fingerprint: ModelFingerprint = first.fingerprint

    def __repr__(self) -> str:
        parts = ", ".join(f"{weight:g} * {name}" for name, weight in self.weights.items())
        return f"Rewards({parts})"

    @property
    def __name__(self) -> str:
        """What trainers call it in their metrics."""
        return "rewards"

    def __call__(
        self, prompts: Sequence[object], completions: Sequence[object], **columns: Any
    ) -> list[float]:
        """Rewards as TRL asks for them; see `RewardFunction.__call__`."""
        return self.as_trl()(prompts, completions, **columns)

    def as_trl(self, *, name: str | None = None) -> RewardFunction:
        """A reward function for TRL's `GRPOTrainer` and `RLOOTrainer`; see `RewardModel.as_trl`.

        Args:
            name: What the trainer calls it in its metrics; `rewards` where None.

        Returns:
            The function, which logs each criterion's mean apart.
        """
        return RewardFunction(self, name=name or self.__name__)

    def score(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesOfRows = None,
        *,
        progress: bool = False,
    ) -> NDArray[np.float64]:
        """The weighted sum of all criteria's rewards; see `RewardModel.score`.

        Returns:
            `(n,)` float64 rewards; higher is better.

        Raises:
            InputError: As for `RewardModel.score`.
        """
        return self.score_each(prompts, responses, images, progress=progress).rewards

    def score_each(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesOfRows = None,
        *,
        progress: bool = False,
    ) -> CriteriaDetails:
        """Every criterion's rewards apart.

        Args:
            prompts: `n` prompts; see `RewardModel.score`.
            responses: `n` responses.
            images: `n` lists of pictures that the prompts show beside their text.
            progress: Whether to show a progress bar on stderr.

        Returns:
            The rewards of `n` responses by each criterion, and their weighted sum.

        Raises:
            InputError: As for `RewardModel.score`.
        """
        check_rows(prompts, responses)
        shown = prompts_shown(prompts, images)
        asked: dict[str, AskedRows] = {}
        for name, model in self.criteria.items():
            cutter = TextCutter(self.engine, model.max_text_tokens)
            asked[name] = ask(model.prompt, shown, responses, cutter)
            cutter.report(f"prompts or responses for {name!r}", "max_text_tokens")
        judged = self._judge(asked, progress)
        details = {name: RewardDetails.of(asked[name], judged[name]) for name in asked}
        return CriteriaDetails(self.weights, MappingProxyType(details))

    def margins(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """The weighted sum of all criteria's margins; see `RewardModel.margins`.

        Returns:
            `(n,)` float64, positive where the chosen response is preferred; zero is a tie.
        """
        apart = self.margins_each(preferences, progress=progress)
        total: NDArray[np.float64] = np.sum(
            [self.weights[name] * margins for name, margins in apart.items()], axis=0
        )
        return total

    def margins_each(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> Mapping[str, NDArray[np.float64]]:
        """Every criterion's margins apart.

        Args:
            preferences: `n` pairs.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n,)` float64 a criterion, by its name.
        """
        asked = self._ask_pairs(preferences)
        judged = self._judge(asked, progress)
        return {name: pairs.of_pairs(judged[name].values).numpy() for name, pairs in asked.items()}

    @property
    def shows_order(self) -> bool:
        """Whether any criterion shows responses one after the other."""
        return any(model.shows_order for model in self.criteria.values())

    def ordered_margins(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """The margins in each order; see `RewardModel.ordered_margins`.

        Half the margin of a criterion that judges one response at a time counts in each order.

        Returns:
            `(n, 2)` float64: with the chosen response shown first, and with it shown second.

        Raises:
            InputError: No criterion shows responses together.
        """
        if not self.shows_order:
            raise InputError("No criterion is of the ranked form, which shows responses in order.")
        asked = self._ask_pairs(preferences)
        judged = self._judge(asked, progress)
        total = np.zeros((len(preferences), 2))
        for name, pairs in asked.items():
            values = judged[name].values
            if pairs.is_ranked:
                margins = pairs.of_orders(values).double().numpy()
            else:
                margins = pairs.of_pairs(values).double().numpy()[:, None] / 2
            total += self.weights[name] * margins
        return total

    def save_pretrained(self, path: str | Path) -> None:
        """Saves to a folder that holds an artifact folder a criterion, wholly or not at all.

        Args:
            path: The folder; made where it is missing, replaced where it was saved so before.

        Raises:
            ArtifactError: The folder holds anything else, or cannot be written.
        """
        write_rewards(path, self.criteria, self.weights)

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        *,
        engine: Engine | None = None,
        device: str | None = None,
        dtype: str | torch.dtype | None = None,
    ) -> Self:
        """Loads what `save_pretrained` saved.

        Args:
            path: The folder.
            engine: A loaded engine; the base model is loaded, once, where it is None.
            device: Where to load the model to; only without an engine.
            dtype: What to load the model as; only without an engine.

        Returns:
            The rewards.

        Raises:
            ArtifactError: The folder is missing or damaged, or a criterion is for another model.
            InputError: Arguments that exclude each other.
        """
        record = read_rewards(path)
        return cls.from_record(
            record, engine_for(record.base_model, engine, device=device, dtype=dtype)
        )

    @classmethod
    def from_record(cls, record: RewardsRecord, engine: Engine) -> Self:
        """The rewards that a folder's record describes.

        Args:
            record: The record.
            engine: An engine that runs the model of every criterion.

        Returns:
            The rewards.

        Raises:
            ArtifactError: A criterion is damaged, or was fitted on another model.
        """
        criteria = {
            name: RewardModel.from_record(one, engine_for(one.base_model, engine))
            for name, one in record.criteria.items()
        }
        return cls(criteria, record.weights)

    def _ask_pairs(self, preferences: Sequence[Preference]) -> dict[str, AskedPairs]:
        prompts = [pair.shown_prompt for pair in preferences]
        chosen = [pair.chosen for pair in preferences]
        rejected = [pair.rejected for pair in preferences]
        asked: dict[str, AskedPairs] = {}
        for name, model in self.criteria.items():
            cutter = TextCutter(self.engine, model.max_text_tokens)
            asked[name] = ask_pairs(model.prompt, prompts, chosen, rejected, cutter)
            cutter.report(f"prompts or responses for {name!r}", "max_text_tokens")
        return asked

    def _judge(
        self, asked: Mapping[str, AskedRows | AskedPairs], progress: bool
    ) -> dict[str, Judgements]:
        questions = [
            self.criteria[name].questions(one.conversations) for name, one in asked.items()
        ]
        return dict(zip(asked, judge(self.engine, questions, progress=progress), strict=True))


def _check(criteria: Mapping[str, RewardModel], weights: Mapping[str, float]) -> None:
    if not criteria:
        raise InputError("Rewards needs one criterion at least: {'correct': reward, ...}.")
    for name, model in criteria.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r} is no name for a criterion; use letters, digits, '_', '-' and '.'."
            )
        if not isinstance(model, RewardModel):
            raise InputError(
                f"The criterion {name!r} is a {type(model).__name__}; expected a RewardModel, as "
                "ActivationRewardModel.fit or headwise.from_pretrained gives it."
            )
    unknown = [name for name in weights if name not in criteria]
    if unknown:
        raise InputError(
            f"There is a weight for {unknown[0]!r}, which is no criterion; there are "
            f"{', '.join(criteria)}."
        )
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise InputError(f"The weight of {name!r} is {weight!r}; expected a number.")
        if not math.isfinite(weight):
            raise InputError(f"The weight of {name!r} is {weight!r}; expected a finite number.")
    first, *others = criteria.items()
    for name, model in others:
        if model.engine is not first[1].engine:
            raise InputError(
                f"{first[0]!r} and {name!r} run on different engines, so they cannot be judged "
                "together. Fit or load them all on one: engine = headwise.load(...), then "
                "headwise.from_pretrained(folder, engine=engine)."
            )
