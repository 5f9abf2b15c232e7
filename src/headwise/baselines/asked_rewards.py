"""Rewards that are had by asking a model for judgements, with judged examples shown or without."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from headwise.baselines.judged_shots import Shots
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Preference, Prompt, Response, group_by_prompt
from headwise.methods.reward_inputs import ImagesOfRows, prompts_shown
from headwise.methods.reward_support import cut_prompt
from headwise.methods.truncation import TextCutter, cutter_of
from headwise.prompts.conversation import Conversation
from headwise.prompts.reward import Form, RewardPrompt

Votes = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AskedRewards(ABC):
    """Scores by asking a model about each response, or about two of them in both orders.

    Args:
        engine: The frozen model.
        prompt: How responses are judged.
        shots: Judged examples that are shown before each question.
        max_text_tokens: Longer prompts' turns and responses are cut in the middle.
    """

    engine: Engine
    prompt: RewardPrompt
    shots: Shots
    max_text_tokens: int

    @property
    def criterion(self) -> str:
        """What a good response does."""
        return self.prompt.criterion

    @property
    def form(self) -> Form:
        """Whether one response is judged, or two are compared."""
        return self.prompt.form

    @abstractmethod
    def votes(self, conversations: Sequence[Conversation], *, progress: bool = False) -> Votes:
        """What the model says to each question.

        Args:
            conversations: `n` questions about responses.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n, v)` float64, `v` votes a question: positive for a good (or the first) response,
            negative for a bad (or the second) one, NaN where a vote could not be read.
        """

    def score(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[Response],
        images: ImagesOfRows = None,
        *,
        progress: bool = False,
    ) -> NDArray[np.float64]:
        """The reward of each response; see `Rewarder.score`.

        In the scalar form it is the mean of the votes, an unreadable one counting 0 (undecided). In
        the ranked form it is the mean margin over the other responses to the same prompt.

        Args:
            prompts: `n` prompts, strings or chat messages.
            responses: `n` responses.
            images: `n` lists of pictures that the prompts show beside their text.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n,)` float64 rewards; higher is better.

        Raises:
            InputError: Other numbers of prompts, responses and images; or, in the ranked form, a
                prompt with one response only.
        """
        if len(prompts) != len(responses):
            raise InputError(
                f"score needs one prompt a response; got {len(prompts)} prompts and "
                f"{len(responses)} responses."
            )
        shown = prompts_shown(prompts, images)
        if not shown:
            return np.zeros(0)
        if self.form == "ranked":
            return self._score_ranked(shown, responses, progress)
        votes = self._scalar_votes(shown, responses, progress)
        return _mean_vote(votes)

    def margins(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """How much better each chosen response is than the rejected one; see `Rewarder.margins`.

        A vote that could not be read makes its pair a tie. In the ranked form both orders are
        asked and averaged.

        Args:
            preferences: `n` pairs.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n,)` float64; positive where the chosen response is preferred; zero is a tie.
        """
        if not preferences:
            return np.zeros(0)
        prompts = [pair.shown_prompt for pair in preferences]
        chosen = [pair.chosen for pair in preferences]
        rejected = [pair.rejected for pair in preferences]
        if self.form == "ranked":
            return self._ranked_margins(prompts, chosen, rejected, progress)
        votes = self._scalar_votes([*prompts, *prompts], [*chosen, *rejected], progress)
        return _mean_difference(votes[: len(preferences)], votes[len(preferences) :])

    @property
    def shows_order(self) -> bool:
        """Whether responses are shown one after the other: in the ranked form."""
        return self.form == "ranked"

    def ordered_margins(
        self, preferences: Sequence[Preference], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Margins in each order, of which `margins` are the mean where every vote can be read.

        Args:
            preferences: `n` pairs.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n, 2)` float64: with the chosen response shown first, and with it shown second; zero
            where votes could not be read.

        Raises:
            InputError: The form is scalar, in which responses are not shown together.
        """
        if not self.shows_order:
            raise InputError("Only the ranked form shows responses in an order; this is scalar.")
        prompts = [pair.shown_prompt for pair in preferences]
        chosen = [pair.chosen for pair in preferences]
        rejected = [pair.rejected for pair in preferences]
        votes = self._votes_in_both_orders(prompts, chosen, rejected, progress)
        means = np.nan_to_num(votes, nan=0.0).mean(axis=1)
        return np.stack([means[0::2], -means[1::2]], axis=1)

    def _scalar_votes(
        self, prompts: Sequence[Prompt], responses: Sequence[Response], progress: bool
    ) -> Votes:
        cutter = self._cutter()
        questions = [
            self.prompt.scalar(cut_prompt(prompt, cutter), cutter.cut_content(response))
            for prompt, response in zip(prompts, responses, strict=True)
        ]
        cutter.report("prompts or responses", "max_text_tokens")
        return self._asked(questions, progress)

    def _ranked_margins(
        self,
        prompts: Sequence[Prompt],
        first: Sequence[Response],
        second: Sequence[Response],
        progress: bool,
    ) -> NDArray[np.float64]:
        votes = self._votes_in_both_orders(prompts, first, second, progress)
        # The mean of both orders, so that a liking for the first place cancels.
        return _mean_difference(votes[0::2] / 2, votes[1::2] / 2)

    def _votes_in_both_orders(
        self,
        prompts: Sequence[Prompt],
        first: Sequence[Response],
        second: Sequence[Response],
        progress: bool,
    ) -> Votes:
        """Two rows a pair: as it is, and the other way round."""
        cutter = self._cutter()
        questions = []
        for prompt, a, b in zip(prompts, first, second, strict=True):
            cut = cut_prompt(prompt, cutter)
            a, b = cutter.cut_content(a), cutter.cut_content(b)
            questions += [self.prompt.ranked(cut, a, b), self.prompt.ranked(cut, b, a)]
        cutter.report("prompts or responses", "max_text_tokens")
        return self._asked(questions, progress)

    def _score_ranked(
        self, prompts: Sequence[Prompt], responses: Sequence[Response], progress: bool
    ) -> NDArray[np.float64]:
        pairs: list[tuple[int, int]] = []
        n_others = np.zeros(len(responses))
        for group in group_by_prompt(prompts):
            if len(group) < 2:
                raise InputError(
                    "The ranked form compares responses to the same prompt, but a prompt has one "
                    "response only. Give several responses to each prompt, or fit with a form that "
                    "judges one response."
                )
            pairs += combinations(group, 2)
            n_others[group] = len(group) - 1
        margins = self._ranked_margins(
            [prompts[a] for a, _ in pairs],
            [responses[a] for a, _ in pairs],
            [responses[b] for _, b in pairs],
            progress,
        )
        rewards = np.zeros(len(responses))
        for (a, b), margin in zip(pairs, margins.tolist(), strict=True):
            rewards[a] += margin
            rewards[b] -= margin
        return rewards / n_others

    def _asked(self, questions: Sequence[Conversation], progress: bool) -> Votes:
        shown = [self.prompt.with_shots(self.shots, question) for question in questions]
        return self.votes(shown if self.shots else questions, progress=progress)

    def _cutter(self) -> TextCutter:
        return cutter_of(self.engine, self.max_text_tokens)


def _mean_difference(first: Votes, second: Votes) -> NDArray[np.float64]:
    return _mean_vote(first - second)


def _mean_vote(votes: Votes) -> NDArray[np.float64]:
    """The mean of each row, what could not be read counting 0."""
    means: NDArray[np.float64] = np.nan_to_num(votes, nan=0.0).mean(axis=1)
    return means
