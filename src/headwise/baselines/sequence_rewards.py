"""Trained reward models from the Hub: sequence classifiers with one output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from headwise.baselines.chat_classifier import ChatClassifier, load_chat_classifier
from headwise.baselines.response_chats import (
    ResponseChat,
    pair_chats,
    pair_margins,
    response_chats,
)
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Judgement, Preference, Prompt, Response
from headwise.methods.reward_inputs import ImagesOfRows


@dataclass(frozen=True, slots=True)
class SequenceClassificationReward:
    """A reward model that somebody trained: a sequence classifier with one output.

    It learns nothing from the preferences, and scores with its own weights, not with those of the
    engine. The conversation is put to it in its own chat template; where it has none, as prompt and
    response side by side. It reads texts only. Weights must be safetensors, and code that comes
    with a model never runs.

    Args:
        model: A Hub id, such as `"Skywork/Skywork-Reward-V2-Qwen3-0.6B"`, or a local folder.
        revision: Commit, branch or tag of a Hub model.
        dtype: `"float32"`, `"bfloat16"`, `"float16"` or `"auto"`, the checkpoint's own; None is
            float32 on the CPU and the checkpoint's own on a GPU.
        device: `"cpu"`, `"cuda"` or `"cuda:1"`; None is a GPU where there is one, else the CPU.
        token_budget: Padded tokens a batch may have.
        max_tokens: Longer conversations lose their beginning (of a prompt and response side by
            side, the longer one its end), counted and reported; None is what the model can read.

    Raises:
        InputError: A number is out of range, or the dtype unknown.
    """

    model: str
    revision: str | None = None
    dtype: str | None = None
    device: str | None = None
    token_budget: int = 8_192
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise InputError("The model is empty; give a Hub id or a folder.")
        if self.token_budget < 1 or (self.max_tokens is not None and self.max_tokens < 1):
            raise InputError("token_budget and max_tokens are 1 at least.")
        if self.dtype is not None and self.dtype not in _DTYPES:
            raise InputError(f"dtype is one of {_DTYPES}; got {self.dtype!r}.")

    def fit(
        self,
        engine: Engine | None = None,
        preferences: Sequence[Preference | Judgement] = (),
        *,
        progress: bool = False,
    ) -> SequenceRewards:
        """Loads the model, or takes it where it is still in use.

        Args:
            engine: As in every method; it is not used, for the model is another one.
            preferences: As in every method; nothing is learnt from them.
            progress: As in every method.

        Returns:
            The reward model.

        Raises:
            EngineError: The model could not be found or loaded, or is no reward model.
        """
        key = (self.model, self.revision, self.dtype, self.device)
        classifier = _IN_USE.get(key)
        if classifier is None:
            classifier = load_chat_classifier(
                self.model, self.revision, self.dtype, _device(self.device)
            )
            _IN_USE[key] = classifier
        return SequenceRewards(self, classifier)


@dataclass(frozen=True, eq=False)
class SequenceRewards:
    """Rewards of a sequence classifier; made by `SequenceClassificationReward.fit`.

    Args:
        settings: How it was loaded.
        classifier: The model.
    """

    settings: SequenceClassificationReward
    classifier: ChatClassifier

    def score(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesOfRows = None,
        *,
        progress: bool = False,
    ) -> NDArray[np.float64]:
        """The model's output for each response; see `Rewarder.score`.

        Args:
            prompts: `n` prompts, strings or chat messages.
            responses: `n` responses.
            images: Must show none: such a model reads texts only.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n,)` float64 rewards; higher is better.

        Raises:
            InputError: Other numbers of prompts and responses, or a picture.
            ActivationError: A reward is NaN or infinite.
        """
        return self._rewards(response_chats(prompts, responses, images), progress)

    def margins(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Difference of the rewards of chosen and rejected; see `Rewarder.margins`."""
        return pair_margins(self._rewards(pair_chats(preferences), progress))

    def _rewards(self, chats: Sequence[ResponseChat], progress: bool) -> NDArray[np.float64]:
        return self.classifier.rewards(
            chats,
            token_budget=self.settings.token_budget,
            max_tokens=self.settings.max_tokens,
            progress=progress,
        )


_DTYPES = ("auto", "float32", "bfloat16", "float16")
# Fits of one method share the model, for as long as one of them is alive.
_IN_USE: WeakValueDictionary[tuple[Any, ...], ChatClassifier] = WeakValueDictionary()


def _device(device: str | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise InputError(
            f"Unknown device {device!r}; expected 'cpu', 'cuda' or 'cuda:1'."
        ) from error
