"""Token-probability scoring: how likely the model finds the good judgement, nothing steered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwise.baselines.asked_rewards import AskedRewards
from headwise.baselines.judged_shots import check_n_shots, judged_shots
from headwise.engines.base import Engine
from headwise.examples import Judgement, Preference
from headwise.methods.reward_readouts import steered_log_odds
from headwise.methods.truncation import check_budget, cutter_of
from headwise.prompts.conversation import Conversation
from headwise.prompts.reward import Form, RewardPrompt


@dataclass(frozen=True, slots=True)
class TokenProbability:
    """Rewards by the likelihood of the judgement: `log P(Yes) - log P(No)`, or of A and B.

    The question is the one that `ActivationRewardModel` asks, so the two differ in the heads only.

    Args:
        criterion: What a good response does, as a sentence, such as `"The answer is correct."`.
        form: `"scalar"` judges each response with Yes or No; `"ranked"` compares two, in both
            orders, which are averaged.
        n_shots: Judged examples of the support set that are shown before each question; 0 is
            zero-shot.
        system: A system turn before the question.
        max_text_tokens: Longer turns and responses are cut in the middle, counted and reported; a
            model behind a server, which counts no tokens, is shown them whole.
        seed: Seed of the draw of examples.

    Raises:
        InputError: A parameter is out of range.

    Source: VQAScore, arXiv:2404.01291, which asks of an image and a caption; the log-odds instead
    of P(Yes) alone, and the ranked form, as in arXiv:2507.01368.
    """

    criterion: str
    form: Form = "scalar"
    n_shots: int = 0
    system: str | None = None
    max_text_tokens: int = 1_024
    seed: int = 0

    def __post_init__(self) -> None:
        RewardPrompt(self.criterion, self.form, self.system)
        check_n_shots(self.n_shots)
        check_budget(self.max_text_tokens)

    def fit(
        self,
        engine: Engine,
        preferences: Sequence[Preference | Judgement] = (),
        *,
        progress: bool = False,
    ) -> TokenProbabilityRewards:
        """Draws the examples that are shown; nothing else is learnt.

        Args:
            engine: The frozen model; it needs `token_logprobs`.
            preferences: The support set; not looked at where `n_shots` is 0.
            progress: As in every method; this is done at once.

        Returns:
            The reward model.

        Raises:
            InputError: Examples are to be shown, and there are none, or of one kind only.
        """
        prompt = RewardPrompt(self.criterion, self.form, self.system)
        cutter = cutter_of(engine, self.max_text_tokens)
        shots = judged_shots(engine, preferences, prompt, self.n_shots, cutter, self.seed)
        return TokenProbabilityRewards(engine, prompt, shots, self.max_text_tokens)


@dataclass(frozen=True, eq=False)
class TokenProbabilityRewards(AskedRewards):
    """Rewards in log-odds; made by `TokenProbability.fit`."""

    def votes(
        self, conversations: Sequence[Conversation], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Log-odds of the good judgement, `(n, 1)`; see `AskedRewards.votes`."""
        odds = steered_log_odds(
            self.engine, conversations, self.prompt.answers, None, progress=progress
        )
        return odds.numpy()[:, None]
