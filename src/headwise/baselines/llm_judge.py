"""LLM-as-a-judge: a judgement that the model writes, read from its text."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from headwise.baselines.asked_rewards import AskedRewards
from headwise.baselines.judged_shots import check_n_shots, judged_shots
from headwise.engines.base import Engine, Sampling
from headwise.engines.sampling import check_sampling
from headwise.errors import InputError
from headwise.examples import Judgement, Preference
from headwise.methods.truncation import check_budget, cutter_of
from headwise.prompts.conversation import Conversation
from headwise.prompts.judging import JudgeForm, judge_prompt, read_verdict


class UnreadableJudgementWarning(UserWarning):
    """Some judgements had no verdict in them, and count as ties."""


@dataclass(frozen=True, slots=True)
class LLMJudge:
    """Rewards by what the model writes when it is asked to judge, greedily.

    It needs nothing of an engine but `generate`, so that hosted models can judge as well.

    An unreadable judgement counts as undecided: its pair is a tie (in the pairwise form already
    where one of the two orders is unreadable, or where the orders disagree), and the reward of its
    response lies in the middle, at 0. How many there were is counted, and warned of.

    Args:
        criterion: What a good response does, as a sentence, such as `"The answer is correct."`.
        form: `"rating"` asks for a number from 1 to 10, `"yes-no"` for Yes or No, `"pairwise"`
            which of two responses is better, in both orders.
        n_shots: Judged examples of the support set that are shown before each question; 0 is
            zero-shot. In the form `"rating"` good ones are shown with 10 and bad ones with 1.
        system: A system turn before the question.
        max_new_tokens: Cap on what the judge writes.
        max_text_tokens: Longer turns and responses are cut in the middle, counted and reported; a
            model behind a server, which counts no tokens, is shown them whole.
        seed: Seed of the draw of examples.

    Raises:
        InputError: A parameter is out of range.

    Source: MT-Bench, arXiv:2306.05685 (single-answer grading, pairwise comparison in both orders
    with a tie where they disagree), in our own words; the judge gives no explanation first.
    """

    criterion: str
    form: JudgeForm = "rating"
    n_shots: int = 0
    system: str | None = None
    max_new_tokens: int = 16
    max_text_tokens: int = 1_024
    seed: int = 0

    def __post_init__(self) -> None:
        judge_prompt(self.criterion, self.form, self.system)
        check_n_shots(self.n_shots)
        check_budget(self.max_text_tokens)
        check_sampling(Sampling(max_new_tokens=self.max_new_tokens))

    def fit(
        self,
        engine: Engine,
        preferences: Sequence[Preference | Judgement] = (),
        *,
        progress: bool = False,
    ) -> JudgeRewards:
        """Draws the examples that are shown; nothing else is learnt.

        Args:
            engine: The model; it needs `generate`.
            preferences: The support set; not looked at where `n_shots` is 0.
            progress: As in every method; this is done at once.

        Returns:
            The judge.

        Raises:
            InputError: Examples are to be shown, and there are none, or of one kind only.
        """
        prompt = judge_prompt(self.criterion, self.form, self.system)
        cutter = cutter_of(engine, self.max_text_tokens)
        shots = judged_shots(engine, preferences, prompt, self.n_shots, cutter, self.seed)
        sampling = Sampling(max_new_tokens=self.max_new_tokens)
        return JudgeRewards(
            engine, prompt, shots, self.max_text_tokens, self.form, sampling, n_votes=1
        )


@dataclass(frozen=True, slots=True)
class JudgeVoting:
    """The mean of several sampled judgements; each is read, and counts, as one of `LLMJudge`.

    In the pairwise form a vote is the judgements of both orders, and is for neither response where
    these disagree.

    Args:
        judge: What is asked, and how.
        n_votes: Judgements a question, 1 at least.
        temperature: Of the sampling; 0 is greedy, of which several would be the same.
        top_p: Nucleus mass.
        seed: Seed of the sampling.

    Raises:
        InputError: A parameter is out of range.

    Source: the voting baseline of arXiv:2507.01368; self-consistency, arXiv:2203.11171.
    """

    judge: LLMJudge
    n_votes: int = 5
    temperature: float = 0.7
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_votes < 1:
            raise InputError(f"n_votes is 1 at least; got {self.n_votes}.")
        if self.temperature == 0 and self.n_votes > 1:
            raise InputError(
                f"At temperature 0 all {self.n_votes} votes would be the same; give a temperature "
                "above 0, or n_votes=1."
            )
        check_sampling(self._sampling(Sampling()))

    def fit(
        self,
        engine: Engine,
        preferences: Sequence[Preference | Judgement] = (),
        *,
        progress: bool = False,
    ) -> JudgeRewards:
        """Draws the examples that are shown; see `LLMJudge.fit`."""
        judge = self.judge.fit(engine, preferences, progress=progress)
        return replace(judge, sampling=self._sampling(judge.sampling), n_votes=self.n_votes)

    def _sampling(self, base: Sampling) -> Sampling:
        return replace(base, temperature=self.temperature, top_p=self.top_p, seed=self.seed)


@dataclass(frozen=True, slots=True)
class Readings:
    """How many judgements a judge has written, and how many of them could be read.

    Args:
        n_judgements: All that were written.
        n_unreadable: Those without a verdict.
    """

    n_judgements: int = 0
    n_unreadable: int = 0


@dataclass
class _Tally:
    readings: Readings = field(default_factory=Readings)


@dataclass(frozen=True, eq=False)
class JudgeRewards(AskedRewards):
    """Rewards from -1 to 1, 0 being undecided; made by `LLMJudge.fit` or `JudgeVoting.fit`.

    Args:
        judge_form: How a judgement is written.
        sampling: How tokens are picked.
        n_votes: Judgements a question.
    """

    judge_form: JudgeForm
    sampling: Sampling
    n_votes: int
    _tally: _Tally = field(default_factory=_Tally, init=False, repr=False)

    @property
    def readings(self) -> Readings:
        """All judgements since it was fitted, and how many of them were unreadable."""
        return self._tally.readings

    def votes(
        self, conversations: Sequence[Conversation], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """What the judge wrote, read, `(n, n_votes)`; see `AskedRewards.votes`."""
        copies = [conversation for conversation in conversations for _ in range(self.n_votes)]
        texts = self.engine.generate(copies, self.sampling, progress=progress)
        read = [read_verdict(text, self.judge_form) for text in texts]
        self._count(len(read), sum(verdict is None for verdict in read))
        values = np.array([np.nan if verdict is None else verdict for verdict in read])
        return values.reshape(len(conversations), self.n_votes)

    def _count(self, n_judgements: int, n_unreadable: int) -> None:
        before = self._tally.readings
        self._tally.readings = Readings(
            before.n_judgements + n_judgements, before.n_unreadable + n_unreadable
        )
        if n_unreadable:
            warnings.warn(
                f"{n_unreadable} of {n_judgements} judgements have no verdict in them and count as "
                "undecided. Show the judge examples (n_shots), or let it write more "
                "(max_new_tokens).",
                UnreadableJudgementWarning,
                stacklevel=4,
            )
