"""Token probability, judges and voting: what was asked, what it counts, and what never does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from judging_engine import JudgingEngine, graded

from headwise.baselines.asked_rewards import AskedRewards
from headwise.baselines.llm_judge import (
    JudgeVoting,
    LLMJudge,
    Readings,
    UnreadableJudgementWarning,
)
from headwise.baselines.shots import DroppedShotsWarning
from headwise.baselines.token_probability import TokenProbability
from headwise.engines.base import Engine
from headwise.engines.openai import OpenAIEngine
from headwise.engines.transformers import TransformersEngine
from headwise.errors import InputError
from headwise.examples import Judgement, Preference
from headwise.methods.truncation import TruncationWarning
from headwise.prompts.conversation import Conversation
from headwise.prompts.reward import RewardPrompt
from openai_server import openai_server, question_of, said
from seeing_engine import SeeingEngine, colored
from seeing_engine import said as said_in

CRITERION = "The answer is good."
TEST = [graded(0.9, 0.1, 0), graded(0.2, -0.8, 1), graded(-0.9, 0.3, 2)]
SUPPORT = [graded(0.5, -0.5, number) for number in range(10, 16)]
METHODS: tuple[Any, ...] = (
    TokenProbability(CRITERION),
    TokenProbability(CRITERION, "ranked"),
    LLMJudge(CRITERION),
    LLMJudge(CRITERION, "pairwise"),
    JudgeVoting(LLMJudge(CRITERION), n_votes=3, temperature=0.3),
    JudgeVoting(LLMJudge(CRITERION, "pairwise"), n_votes=3, temperature=0.3),
)


def swapped(pairs: Sequence[Preference]) -> list[Preference]:
    return [replace(p, chosen=p.rejected, rejected=p.chosen) for p in pairs]


def score_of(fitted: AskedRewards, pairs: Sequence[Preference]) -> np.ndarray:
    """Rewards of chosen less those of rejected, by `score`."""
    prompts = [p.prompt for p in pairs for _ in range(2)]
    found = fitted.score(prompts, [r for p in pairs for r in (p.chosen, p.rejected)])
    return found[0::2] - found[1::2]


# --- What holds for all of them ----------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_what_is_better_is_preferred(method: Any) -> None:
    fitted = method.fit(JudgingEngine(), SUPPORT)
    assert (np.sign(fitted.margins(TEST)) == [1, 1, -1]).all()
    assert (np.sign(score_of(fitted, TEST)) == [1, 1, -1]).all()


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_swapping_a_pair_negates_its_margin(method: Any) -> None:
    fitted = method.fit(JudgingEngine(first_bonus=0.7), SUPPORT)
    assert fitted.margins(swapped(TEST)) == pytest.approx(-fitted.margins(TEST))


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_nothing_in_nothing_out(method: Any) -> None:
    fitted = method.fit(JudgingEngine(), SUPPORT)
    assert fitted.margins([]).shape == fitted.score([], []).shape == (0,)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_prompts_and_responses_must_pair_up(method: Any) -> None:
    with pytest.raises(InputError, match="2 prompts and 1 responses"):
        method.fit(JudgingEngine(), SUPPORT).score(["a", "b"], ["c"])


def test_a_ranked_reward_is_the_mean_margin_over_the_others() -> None:
    fitted = TokenProbability(CRITERION, "ranked").fit(JudgingEngine(first_bonus=5.0))
    qualities = [0.5, -0.25, 0.1]
    found = fitted.score(["Q?"] * 3, [f"r q={q}" for q in qualities])
    wanted = [q - np.mean([r for r in qualities if r != q]) for q in qualities]
    assert found == pytest.approx(wanted)


def test_a_response_alone_cannot_be_ranked() -> None:
    with pytest.raises(InputError, match="one response only"):
        LLMJudge(CRITERION, "pairwise").fit(JudgingEngine()).score(["Q?"], ["r q=1"])


# --- Token probability -------------------------------------------------------------------------


def test_token_probability_is_the_log_odds_of_the_reward_prompt(
    tiny_engine: TransformersEngine,
) -> None:
    fitted = TokenProbability(CRITERION, system="Judge.").fit(tiny_engine)
    prompts, responses = ["Is it on the mat?", "And the dog?"], ["yes, the cat", "no"]
    prompt = RewardPrompt(CRITERION, system="Judge.")
    asked = [prompt.scalar(p, r) for p, r in zip(prompts, responses, strict=True)]
    logprobs = tiny_engine.token_logprobs(asked, ["Yes", "No"])
    wanted = (logprobs[:, 0] - logprobs[:, 1]).numpy()
    assert fitted.score(prompts, responses) == pytest.approx(wanted)


def test_both_orders_are_averaged() -> None:
    fair = TokenProbability(CRITERION, "ranked").fit(JudgingEngine()).margins(TEST)
    biased = TokenProbability(CRITERION, "ranked").fit(JudgingEngine(first_bonus=9.0))
    assert biased.margins(TEST) == pytest.approx(fair)


# --- Judged examples ---------------------------------------------------------------------------


def shown_answers(conversation: Conversation) -> list[str]:
    return [turn.text for turn in conversation.messages if turn.role == "assistant"]


@pytest.mark.parametrize(
    ("method", "answers"),
    [
        (TokenProbability(CRITERION, n_shots=4), ("No", "Yes")),
        (TokenProbability(CRITERION, "ranked", n_shots=4), ("A", "B")),
        (LLMJudge(CRITERION, n_shots=4), ("1", "10")),
        (LLMJudge(CRITERION, "yes-no", n_shots=4), ("No", "Yes")),
        (LLMJudge(CRITERION, "pairwise", n_shots=4), ("A", "B")),
    ],
    ids=repr,
)
def test_shots_take_turns_and_are_judged_rightly(method: Any, answers: tuple[str, ...]) -> None:
    engine = JudgingEngine()
    method.fit(engine, SUPPORT).margins(TEST)
    for asked in engine.asked:
        shown = shown_answers(asked)
        assert len(shown) == 4
        assert sorted(set(shown)) == list(answers)
        assert all(a != b for a, b in pairwise(shown))
        questions = [turn.text for turn in asked.messages if turn.role == "user"]
        # Each from another pair, and judged as its quality says.
        assert len({question.splitlines()[0] for question in questions}) == 5
        for question, answer in zip(questions[:-1], shown, strict=True):
            assert (answer in ("Yes", "A", "10")) == (engine.quality(question) > 0)


def test_shots_are_drawn_by_the_seed() -> None:
    def shots(seed: int) -> object:
        return TokenProbability(CRITERION, n_shots=3, seed=seed).fit(JudgingEngine(), SUPPORT).shots

    assert shots(1) == shots(1)
    assert len({str(shots(seed)) for seed in range(8)}) > 1


def test_fewer_pairs_than_shots_are_all_shown() -> None:
    fitted = LLMJudge(CRITERION, n_shots=50).fit(JudgingEngine(), SUPPORT)
    assert len(fitted.shots) == 2 * len(SUPPORT)


def test_single_judgements_serve_as_shots() -> None:
    judged = [Judgement("Q?", "x q=1", True), Judgement("R?", "y q=-1", False)]
    fitted = LLMJudge(CRITERION, "yes-no", n_shots=2).fit(JudgingEngine(), judged)
    assert sorted(answer for _, answer in fitted.shots) == ["No", "Yes"]


def test_few_shot_without_support_is_refused_and_zero_shot_is_not() -> None:
    with pytest.raises(InputError, match="no preferences"):
        TokenProbability(CRITERION, n_shots=2).fit(JudgingEngine(), [])
    assert TokenProbability(CRITERION).fit(JudgingEngine(), []).shots == ()


# --- Judges ------------------------------------------------------------------------------------


def test_a_rating_counts_from_minus_one_to_one() -> None:
    fitted = LLMJudge(CRITERION).fit(JudgingEngine())
    assert fitted.score(["Q?"] * 3, ["r q=1", "r q=-1", "r q=0.1"]) == pytest.approx(
        [1.0, -1.0, 0.5 / 4.5]
    )


def test_orders_that_disagree_are_a_tie() -> None:
    fitted = LLMJudge(CRITERION, "pairwise").fit(JudgingEngine(first_bonus=9.0))
    assert (fitted.margins(TEST) == 0).all()
    fair = LLMJudge(CRITERION, "pairwise").fit(JudgingEngine())
    assert (fair.margins(TEST) == [1, 1, -1]).all()


@pytest.mark.parametrize("form", ["rating", "yes-no", "pairwise"])
def test_an_unreadable_judgement_counts_and_is_a_tie(form: Any) -> None:
    engine = JudgingEngine(unreadable=lambda question: "Response A: x q=0.9" in question)
    if form != "pairwise":
        engine = JudgingEngine(unreadable=lambda question: "q=0.9\n" in question)
    fitted = LLMJudge(CRITERION, form).fit(engine)
    with pytest.warns(UnreadableJudgementWarning, match="1 of 6"):
        margins = fitted.margins([graded(0.9, -0.1), *TEST[1:]])
    assert margins[0] == 0
    assert (np.sign(margins[1:]) == [1, -1]).all()
    assert fitted.readings == Readings(n_judgements=6, n_unreadable=1)
    with pytest.warns(UnreadableJudgementWarning):
        found = fitted.score(["Q?", "Q?"], ["x q=0.9", "y q=-0.1"])
    assert fitted.readings.n_unreadable == 2
    # Undecided, in the middle between good and bad.
    assert found[0] == 0


def test_what_is_readable_warns_of_nothing() -> None:
    fitted = LLMJudge(CRITERION).fit(JudgingEngine())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.margins(TEST)
    assert fitted.readings == Readings(6, 0)


def test_judges_write_greedily() -> None:
    engine = JudgingEngine()
    LLMJudge(CRITERION, max_new_tokens=5).fit(engine).margins(TEST)
    assert {(s.temperature, s.max_new_tokens) for s in engine.samplings} == {(0.0, 5)}


# --- Voting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["rating", "yes-no", "pairwise"])
def test_one_greedy_vote_is_the_judge(form: Any) -> None:
    engine = JudgingEngine(first_bonus=0.6, unreadable=lambda question: "q=0.3" in question)
    judge = LLMJudge(CRITERION, form)
    fitted = judge.fit(engine)
    voting = JudgeVoting(judge, n_votes=1, temperature=0.0).fit(engine)
    with pytest.warns(UnreadableJudgementWarning):
        alone = fitted.margins(TEST)
    with pytest.warns(UnreadableJudgementWarning):
        voted = voting.margins(TEST)
    assert (alone == voted).all()


def test_votes_are_sampled_apart_and_averaged() -> None:
    engine = JudgingEngine()
    voting = JudgeVoting(LLMJudge(CRITERION, "yes-no"), n_votes=40, temperature=1.0, seed=3)
    fitted = voting.fit(engine)
    found = fitted.score(["Q?", "Q?"], ["r q=0.5", "s q=-0.5"])
    assert engine.samplings[0].temperature == 1.0
    assert fitted.readings.n_judgements == 80
    assert -1 < found[1] < 0 < found[0] < 1
    assert (voting.fit(engine).score(["Q?", "Q?"], ["r q=0.5", "s q=-0.5"]) == found).all()
    other = replace(voting, seed=4).fit(engine)
    assert (other.score(["Q?", "Q?"], ["r q=0.5", "s q=-0.5"]) != found).any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: JudgeVoting(LLMJudge(CRITERION), n_votes=0),
        lambda: JudgeVoting(LLMJudge(CRITERION), n_votes=3, temperature=0.0),
        lambda: JudgeVoting(LLMJudge(CRITERION), temperature=-1.0),
        lambda: LLMJudge(" "),
        lambda: LLMJudge(CRITERION, max_new_tokens=0),
        lambda: LLMJudge(CRITERION, n_shots=-1),
        lambda: TokenProbability(CRITERION, "triple"),  # type: ignore[arg-type]
        lambda: TokenProbability(CRITERION, max_text_tokens=2),
    ],
)
def test_settings_that_mean_nothing_are_refused(make: Any) -> None:
    with pytest.raises(InputError):
        make()


# --- Long texts, pictures, hosted models -------------------------------------------------------


def test_long_texts_are_cut_and_reported() -> None:
    engine = JudgingEngine()
    fitted = TokenProbability(CRITERION, max_text_tokens=100).fit(engine)
    with pytest.warns(TruncationWarning, match="max_text_tokens"):
        fitted.margins([Preference("w " * 9_000, "q=1", "q=-1")])
    assert len(engine.asked[0].messages[-1].text) < 2_000


def test_shots_that_have_no_room_are_left_out(tiny_engine: TransformersEngine) -> None:
    # The tiny model reads 512 tokens, and may be shown half of that.
    pairs = [Preference(f"Is {n} on the mat?", "yes " * 9, "no " * 9) for n in range(6)]
    with pytest.warns(DroppedShotsWarning):
        fitted = TokenProbability(CRITERION, n_shots=8).fit(tiny_engine, pairs)
    assert 0 < len(fitted.shots) < 8
    assert np.isfinite(fitted.margins(pairs)).all()


def test_an_engine_that_cannot_count_tokens_gets_whole_texts() -> None:
    engine = JudgingEngine(counts_tokens=False)
    LLMJudge(CRITERION).fit(engine).margins([Preference("w " * 9_000, "q=1", "q=-1")])
    assert len(engine.asked[0].messages[-1].text) > 17_000


def test_pictures_of_prompts_and_shots_are_shown() -> None:
    engine: Any = SeeingEngine()
    pairs = [
        Preference("Which color?", c, "green", images=(colored(c, n),))
        for n, c in enumerate(("red", "blue", "red"))
    ]
    fitted = TokenProbability(CRITERION, n_shots=2).fit(engine, pairs[:2])
    fitted.margins(pairs[2:])
    assert all(len(asked.images) == 3 for asked in engine.shown)
    assert all(
        said_in(asked).split("---")[-1].strip().startswith("<red>") for asked in engine.shown
    )
    beside = fitted.score(["Which color?"], ["red"], images=[[colored("blue")]])
    assert said_in(engine.shown[-1]).split("---")[-1].strip().startswith("<blue>")
    assert np.isfinite(beside).all()


def test_a_hosted_model_judges() -> None:
    def script(path: str, body: dict[str, Any]) -> Any:
        question = question_of(body)
        first = question.index("right") < question.index("wrong")
        return said("A" if first else "B")

    with openai_server(script) as server:
        engine: Engine = OpenAIEngine("m", server.url)
        fitted = LLMJudge(CRITERION, "pairwise").fit(engine)
        assert fitted.margins([Preference("Q?", "right", "wrong")]) == pytest.approx([1.0])
        assert fitted.readings == Readings(2, 0)


def test_judges_run_on_a_real_engine(tiny_engine: TransformersEngine) -> None:
    voting = JudgeVoting(LLMJudge(CRITERION, max_new_tokens=2), n_votes=2)
    with warnings.catch_warnings():
        # A random model says nothing that can be read.
        warnings.simplefilter("ignore", UnreadableJudgementWarning)
        fitted = voting.fit(tiny_engine)
        first = fitted.margins(TEST)
        torch.manual_seed(5)
        assert (voting.fit(tiny_engine).margins(TEST) == first).all()
    assert fitted.readings.n_judgements == 12
