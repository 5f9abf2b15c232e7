"""The reward that a trainer's settings name, loaded once a process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.integrations.gathered_calls import GatheredReward
from headwise.methods.load import from_pretrained
from headwise.methods.reward_model import RewardModel
from headwise.methods.rewards import Rewards

ARTIFACT, MODEL = "HEADWISE_REWARD", "HEADWISE_MODEL"
DEVICE, DTYPE = "HEADWISE_DEVICE", "HEADWISE_DTYPE"

_loading = Lock()


@dataclass(frozen=True, slots=True)
class RewardChoice:
    """Which reward, and where its model is.

    Args:
        artifact: A folder, or a Hub id: of a reward model, or what `Rewards` was saved to.
        model: Where the model is now, if not where it was when fitting.
        device: Where to load it to; a GPU where there is one if None.
        dtype: What to load it as; by device where None.
    """

    artifact: str
    model: str | None = None
    device: str | None = None
    dtype: str | None = None

    @classmethod
    def of(
        cls,
        artifact: str | None = None,
        model: str | None = None,
        device: str | None = None,
        dtype: str | None = None,
    ) -> RewardChoice:
        """What was given, and for the rest the environment.

        Raises:
            InputError: Neither names an artifact.
        """
        chosen = artifact or os.environ.get(ARTIFACT)
        if not chosen:
            raise InputError(
                f"No reward is named. Set the environment variable {ARTIFACT} to the folder of a "
                "fitted reward model (for every process of the training), or give artifact=."
            )
        return cls(
            str(chosen),
            model or os.environ.get(MODEL) or None,
            device or os.environ.get(DEVICE) or None,
            dtype or os.environ.get(DTYPE) or None,
        )


def load_reward(choice: RewardChoice) -> RewardModel | Rewards:
    """Loads a reward and its model.

    Args:
        choice: Which one.

    Returns:
        The reward.

    Raises:
        ArtifactError: It is missing, damaged, or for another model.
        InputError: It is no reward, or compares responses, which trainers hand over one by one.
    """
    engine: Engine | None = None
    how: dict[str, str | None] = {"device": choice.device, "dtype": choice.dtype}
    if choice.model is not None:
        from headwise.engines.load import load

        engine = load(choice.model, device=choice.device, dtype=choice.dtype)
        how = {}
    found = from_pretrained(choice.artifact, engine=engine, **how)
    if not isinstance(found, RewardModel | Rewards):
        raise InputError(
            f"{choice.artifact} is no reward model: it was made by '{found.method}'. Fit one with: "
            "headwise fit reward"
        )
    return found


def configured_reward(choice: RewardChoice) -> GatheredReward:
    """The reward for single responses from many threads; one for all that choose the same.

    Args:
        choice: Which one.

    Returns:
        The reward, loaded once a process.

    Raises:
        ArtifactError: See `load_reward`.
        InputError: See `load_reward`.
    """
    with _loading:
        return _loaded(choice)


@lru_cache(maxsize=4)
def _loaded(choice: RewardChoice) -> GatheredReward:
    return GatheredReward(load_reward(choice))
