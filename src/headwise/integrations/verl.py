"""verl's reward function and reward manager; verl itself is never imported.

As a function (`reward.custom_reward_function`), which is given neither the prompt nor its pictures,
so that they must stand in `extra_info` (`prompt` or `question`, and `images`):

    reward.custom_reward_function.path=pkg://headwise.integrations.verl
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.artifact=judge

As a manager, which sees the prompt as the model was given it, pictures included:

    reward.reward_manager.source=importlib
    reward.reward_manager.name=HeadwiseRewardManager
    reward.reward_manager.module.path=pkg://headwise.integrations.verl

with the environment variable `HEADWISE_REWARD` set for all workers (`HEADWISE_MODEL`,
`HEADWISE_DEVICE` and `HEADWISE_DTYPE` where they are needed).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from headwise.content import as_images
from headwise.errors import InputError
from headwise.examples import Prompt
from headwise.integrations.configured import RewardChoice, configured_reward
from headwise.integrations.gathered_calls import ScoredResponse
from headwise.methods.trainer_chats import trainer_prompt

_PROMPT_KEYS = ("prompt", "raw_prompt", "question")


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: object,
    extra_info: Mapping[str, Any] | None = None,
    *,
    artifact: str | None = None,
    model: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    reward_router_address: str | None = None,
    reward_model_tokenizer: object | None = None,
) -> dict[str, float]:
    """The reward of one response; what verl calls for each sample, from threads.

    Args:
        data_source: The data set's name; not looked at.
        solution_str: The response.
        ground_truth: The data set's answer; not looked at.
        extra_info: Holds the prompt (text or chat messages) as `prompt`, `raw_prompt` or
            `question`, and its pictures, if any, as `images` or `image`.
        artifact: A folder, or a Hub id; `$HEADWISE_REWARD` where None.
        model: Where the model is now; `$HEADWISE_MODEL` where None.
        device: Where to load it to; `$HEADWISE_DEVICE` where None.
        dtype: What to load it as; `$HEADWISE_DTYPE` where None.
        reward_router_address: verl's own reward server; not used.
        reward_model_tokenizer: verl's own reward model's tokenizer; not used.

    Returns:
        `{"score": reward, ...}` with each criterion's reward or each readout's margin, and whether
        the text was cut as 0 or 1.

    Raises:
        InputError: There is no prompt in `extra_info`, no artifact is named, or a picture cannot
            be read.
        ArtifactError: The artifact is missing, damaged, or for another model.
    """
    info = extra_info or {}
    asked = next((info[key] for key in _PROMPT_KEYS if info.get(key) is not None), None)
    if asked is None:
        raise InputError(
            "verl gives a reward function the response without its prompt. Put the prompt into "
            "the data set's extra_info as 'prompt' (text or chat messages; pictures as 'images'), "
            "or use HeadwiseRewardManager, which sees the prompt."
        )
    given = info.get("images")
    pictures = as_images(info.get("image") if given is None else given)
    reward = configured_reward(RewardChoice.of(artifact, model, device, dtype))
    return _as_score(reward.score_one(trainer_prompt(asked, pictures), solution_str))


class HeadwiseRewardManager:
    """A reward manager that scores responses beside the prompts and pictures they answer.

    It has the methods of verl's `RewardManagerBase`, without being one, so that it needs no verl.

    Args:
        config: verl's configuration; `config.reward.custom_reward_function.reward_kwargs` may name
            the `artifact`, `model`, `device` and `dtype`; else the environment does.
        tokenizer: The policy's tokenizer, which reads the response's tokens.
        compute_score: verl's default; not used.
        reward_router_address: verl's own reward server; not used.
        reward_model_tokenizer: verl's own reward model's tokenizer; not used.
    """

    def __init__(
        self,
        config: Any,
        tokenizer: Any,
        compute_score: object = None,
        reward_router_address: str | None = None,
        reward_model_tokenizer: object | None = None,
    ) -> None:
        self.config = config
        self.tokenizer = tokenizer
        self.choice = RewardChoice.of(**_reward_kwargs(config))
        self.init_class(config, tokenizer)

    @classmethod
    def init_class(cls, config: Any, tokenizer: Any) -> None:
        """Has nothing to prepare; verl calls it."""

    async def run_single(self, data: Any) -> dict[str, Any]:
        """The reward of a rollout; several sequences of one rollout are judged by the last.

        Args:
            data: verl's `DataProto`: `batch["responses"]` and `batch["attention_mask"]`, and
                `non_tensor_batch["raw_prompt"]`, whose messages may show pictures; those of
                `non_tensor_batch["multi_modal_data"]["images"]` where they don't.

        Returns:
            `{"reward_score": float, "reward_extra_info": {...}}`.

        Raises:
            InputError: There is no prompt, or a picture cannot be read.
            ArtifactError: The artifact is missing, damaged, or for another model.
        """
        item = data[-1:][0]
        fields = item.non_tensor_batch
        if fields.get("raw_prompt") is None:
            raise InputError(
                "The data has no 'raw_prompt', so the reward manager sees no prompt. Set "
                "data.return_raw_chat=True."
            )
        prompt = _prompt_of(fields)
        response = await asyncio.to_thread(self._response, item.batch)
        reward = await asyncio.to_thread(configured_reward, self.choice)
        scored = await asyncio.to_thread(reward.score_one, prompt, response)
        return {"reward_score": scored.reward, "reward_extra_info": _as_score(scored)}

    @classmethod
    def assemble_rm_scores(cls, data: Any, scores: Sequence[float]) -> Tensor:
        """Puts each score at the last token of its response, as verl's own managers do.

        Args:
            data: verl's `DataProto` of `n` samples.
            scores: `n` scores.

        Returns:
            `(n, response_length)` float32, zero elsewhere.
        """
        prompt_length = data.batch["prompts"].size(1)
        lengths = data.batch["attention_mask"][:, prompt_length:].sum(dim=1)
        placed = torch.zeros_like(data.batch["responses"], dtype=torch.float32)
        rows = torch.arange(placed.size(0), device=placed.device)
        placed[rows, lengths - 1] = placed.new_tensor(list(scores))
        return placed

    def _response(self, batch: Any) -> str:
        tokens = batch["responses"]
        n_tokens = int(batch["attention_mask"][-tokens.shape[-1] :].sum())
        return str(self.tokenizer.decode(tokens[:n_tokens], skip_special_tokens=True))


def _prompt_of(fields: Mapping[str, Any]) -> Prompt:
    beside = fields.get("multi_modal_data")
    images = beside.get("images") if isinstance(beside, Mapping) else None
    return trainer_prompt(fields["raw_prompt"], as_images(images))


def _reward_kwargs(config: Any) -> dict[str, str]:
    """What the configuration says of the artifact; keys that are not ours are someone else's."""
    found = config
    for name in ("reward", "custom_reward_function", "reward_kwargs"):
        found = found.get(name) if hasattr(found, "get") else None
    if not hasattr(found, "get"):
        return {}
    known = {key: found.get(key) for key in ("artifact", "model", "device", "dtype")}
    return {key: str(value) for key, value in known.items() if value is not None}


def _as_score(scored: ScoredResponse) -> dict[str, float]:
    return {"score": scored.reward, **scored.parts, "truncated": float(scored.truncated)}
