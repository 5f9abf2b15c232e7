"""OpenRLHF's reward function: point `--reward.remote_url` at this file.

    export HEADWISE_REWARD=judge      # the folder of a fitted reward model, or of Rewards
    --reward.remote_url $(python -m headwise.integrations.openrlhf)

`HEADWISE_MODEL`, `HEADWISE_DEVICE` and `HEADWISE_DTYPE` say where the model is now, where to load
it to and as what. OpenRLHF calls `reward_func` from threads, a rollout at a time, and sends no
pictures. Where a call fails, it logs that and goes on without a reward: watch its log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from headwise.errors import InputError
from headwise.integrations.configured import RewardChoice, configured_reward
from headwise.prompts.chat_text import split_query

Answer = dict[str, Tensor | dict[str, Tensor]]
"""`{"rewards": (n,), "scores": (n,), "extra_logs": {name: (n,)}}`, float32. Tensors, for of lists
OpenRLHF makes tensors of one dimension too many."""

RewardFunc = Callable[[Sequence[str], Sequence[str], Sequence[object]], Answer]


def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[object]) -> Answer:
    """Rewards by the artifact that the environment names; what OpenRLHF calls.

    Args:
        queries: `n` texts of prompt and response, with special tokens.
        prompts: `n` prompts, as the chat template made them, or plain text.
        labels: `n` labels of the data set; not looked at.

    Returns:
        The rewards, and what they were made of in `extra_logs`.

    Raises:
        InputError: No artifact is named, counts differ, or a query does not begin with its prompt.
        ArtifactError: The artifact is missing, damaged, or for another model.
    """
    return _scored(RewardChoice.of(), queries, prompts)


def reward_function(
    artifact: str,
    *,
    model: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> RewardFunc:
    """The same for an artifact of your choice, for a reward file of your own.

    Args:
        artifact: A folder, or a Hub id.
        model: Where the model is now, if not where it was when fitting.
        device: Where to load it to.
        dtype: What to load it as.

    Returns:
        A function like `reward_func`; the model is loaded at its first call.
    """
    choice = RewardChoice(artifact, model, device, dtype)

    def chosen(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[object]) -> Answer:
        return _scored(choice, queries, prompts)

    return chosen


def _scored(choice: RewardChoice, queries: Sequence[str], prompts: Sequence[str]) -> Answer:
    if len(queries) != len(prompts):
        raise InputError(
            f"There are {len(queries)} queries and {len(prompts)} prompts; expected one prompt a "
            "query."
        )
    split = [split_query(query, prompt) for query, prompt in zip(queries, prompts, strict=True)]
    reward = configured_reward(choice)
    scored = reward.score_many([one.prompt for one in split], [one.response for one in split])
    rewards = torch.tensor([one.reward for one in scored])
    names = list(scored[0].parts) if scored else []
    logs = {f"headwise_{name}": [one.parts[name] for one in scored] for name in names}
    logs["headwise_truncated"] = [float(one.truncated) for one in scored]
    return {
        "rewards": rewards,
        "scores": rewards.clone(),
        "extra_logs": {name: torch.tensor(values) for name, values in logs.items()},
    }


if __name__ == "__main__":
    print(__file__)
