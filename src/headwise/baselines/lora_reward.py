"""A LoRA reward model: low-rank weights fine-tuned on the same few preferences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headwise.baselines.asked_rewards import AskedRewards
from headwise.baselines.lora_training import (
    Choice,
    Continuation,
    LoraTraining,
    TrainedLora,
    train_lora,
)
from headwise.engines.base import Engine
from headwise.engines.open_model import DifferentiableEngine
from headwise.errors import EngineError, InputError
from headwise.examples import Judgement, Preference
from headwise.methods.reward_readouts import steered_log_odds
from headwise.methods.reward_support import GOOD, JudgedSupport, scalar_support
from headwise.methods.truncation import check_budget, cutter_of
from headwise.prompts.conversation import Conversation
from headwise.prompts.reward import RewardPrompt
from headwise.selection.search import hold_out

_FEWEST_GROUPS_TO_HOLD_OUT = 4


@dataclass(frozen=True, slots=True)
class LoraRewardModel:
    """Rewards by the likelihood of Yes over No, of a model fine-tuned to give them rightly.

    The reward is that of `TokenProbability`, and what is trained is its difference within a pair
    (Bradley-Terry loss): the log-odds that the chosen response is better. A single judgement is
    trained on as what it is, Yes against No. Part of the preferences is held out to say when to
    stop; the adapter is in the model only while it scores.

    Args:
        criterion: What a good response does, as a sentence, such as `"The answer is correct."`.
        training: How the adapter is trained; its seed gives way to `seed`.
        pointwise: Whether both responses of a pair are also trained on as single judgements.
        held_out: Share of the preferences that is held out, where there are four at least; 0 holds
            none out.
        system: A system turn before the question.
        max_text_tokens: Longer turns and responses are cut in the middle, counted and reported; a
            model behind a server, which counts no tokens, is shown them whole.
        seed: Seed of the first weights, of the order of training and of what is held out.

    Raises:
        InputError: A parameter is out of range.

    Source: LoRA, arXiv:2106.09685, as the fine-tuned baseline of arXiv:2507.01368.
    """

    criterion: str
    training: LoraTraining = LoraTraining()  # noqa: RUF009 - frozen.
    pointwise: bool = False
    held_out: float = 0.25
    system: str | None = None
    max_text_tokens: int = 1_024
    seed: int = 0

    def __post_init__(self) -> None:
        RewardPrompt(self.criterion, "scalar", self.system)
        check_budget(self.max_text_tokens)
        if not 0 <= self.held_out < 1:
            raise InputError(f"held_out is a share from 0 to below 1; got {self.held_out}.")

    def fit(
        self,
        engine: Engine,
        preferences: Sequence[Preference | Judgement],
        *,
        progress: bool = False,
    ) -> LoraRewards:
        """Trains the adapter; the engine's model is afterwards what it was, bit for bit.

        Args:
            engine: The frozen model; one that holds its model (`headwise.load`).
            preferences: Preference pairs, or single judged responses, or both.
            progress: Whether to show a progress bar on stderr.

        Returns:
            The reward model.

        Raises:
            InputError: No preferences, or good (or bad) ones only.
            MissingExtraError: `peft` is not installed.
            EngineError: The engine's model cannot be trained.
        """
        if not isinstance(engine, DifferentiableEngine):
            raise EngineError(
                f"LoRA trains weights beside the model, which {type(engine).__name__} does not "
                "hold; load the model with the transformers engine (headwise.load)."
            )
        prompt = RewardPrompt(self.criterion, "scalar", self.system)
        cutter = cutter_of(engine, self.max_text_tokens)
        support = scalar_support(preferences, prompt, cutter)
        cutter.report("support texts", "max_text_tokens")
        training, held_out = self._split(support)
        trained = train_lora(
            engine,
            self._choices(support, training, prompt),
            self._choices(support, held_out, prompt),
            replace(self.training, seed=self.seed),
            progress=progress,
        )
        return LoraRewards(engine, prompt, (), self.max_text_tokens, trained)

    def _split(self, support: JudgedSupport) -> tuple[Sequence[int], Sequence[int]]:
        """Groups to train on, and groups that are held out."""
        everyone = range(support.n_groups)
        if not self.held_out or support.n_groups < _FEWEST_GROUPS_TO_HOLD_OUT:
            return everyone, ()
        return hold_out(support.n_groups, self.held_out, self.seed)

    def _choices(
        self, support: JudgedSupport, groups: Sequence[int], prompt: RewardPrompt
    ) -> list[Choice]:
        choices = []
        for group in groups:
            rows = support.rows_of([group])
            good_first = sorted(rows, key=lambda row: int(support.labels[row]) != GOOD)
            asked = [support.conversations[row] for row in good_first]
            if len(rows) == 2:
                choices.append(Choice(tuple(_log_odds(one, prompt) for one in asked)))
            if len(rows) == 1 or self.pointwise:
                choices += [
                    _judged(one, prompt, right=int(support.labels[row]))
                    for one, row in zip(asked, good_first, strict=True)
                ]
        return choices


def _log_odds(conversation: Conversation, prompt: RewardPrompt) -> tuple[Continuation, ...]:
    """An option of a pair, whose score is its reward."""
    good, bad = prompt.answers
    return (Continuation(conversation, good), Continuation(conversation, bad, weight=-1.0))


def _judged(conversation: Conversation, prompt: RewardPrompt, *, right: int) -> Choice:
    """The choice between both answers to one question."""
    return Choice(tuple((Continuation(conversation, text),) for text in prompt.answers), right)


@dataclass(frozen=True, eq=False)
class LoraRewards(AskedRewards):
    """Rewards in log-odds; made by `LoraRewardModel.fit`.

    Args:
        engine: The frozen model that it was trained on.
        trained: The adapter, and how its training went.
    """

    engine: DifferentiableEngine
    trained: TrainedLora

    def votes(
        self, conversations: Sequence[Conversation], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Log-odds of Yes with the adapter in the model, `(n, 1)`; see `AskedRewards.votes`."""
        with self.trained.adapter.applied(self.engine):
            odds = steered_log_odds(
                self.engine, conversations, self.prompt.answers, None, progress=progress
            )
        return odds.numpy()[:, None]
