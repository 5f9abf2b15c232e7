"""Verdicts: what a judge wrote is read as it was meant, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwise.errors import InputError
from headwise.prompts.judging import judge_prompt, read_verdict
from headwise.prompts.reward import RewardPrompt

RATINGS = {
    "7": 7,
    " 10.": 10,
    "7/10": 7,
    "Rating: 8.": 8,
    "**Score:** 3": 3,
    "I'd give it 9 out of 10.": 9,
    "The rating is **6**": 6,
    "10\nbecause of 2 reasons": 10,
    "Of its 3 claims 2 are true. Rating: 4": 4,
    "7.5": 7.5,
}
NO_RATINGS = (
    "11",
    "0",
    "-3",
    "8-9",
    "1,000",
    "Between 3 and 5",
    "no idea",
    "",
    "Rating: 3/5 or 4/5",
)
LETTERS = {
    "A": "A",
    "B.": "B",
    "B) it is right": "B",
    "**B**": "B",
    "[[A]]": "A",
    "Answer: B": "B",
    "The answer is A": "A",
    "Option B": "B",
    "Response A is better than Response B.": "A",
    "Response A is worse. Response B is better.": "B",
    "Both try, but the better response is B.": "B",
    "I prefer Response B": "B",
    "A is better": "A",
    "I like what response B says": "B",
}
NO_LETTERS = ("", "both", "Neither", "A dog is nice", "The answer is a good one", "[[A]] or [[B]]")


@pytest.mark.parametrize(("text", "rating"), RATINGS.items())
def test_ratings_are_read(text: str, rating: float) -> None:
    assert read_verdict(text, "rating") == pytest.approx((rating - 5.5) / 4.5)


@pytest.mark.parametrize("text", NO_RATINGS)
def test_no_rating_is_guessed(text: str) -> None:
    assert read_verdict(text, "rating") is None


@pytest.mark.parametrize(("text", "letter"), LETTERS.items())
def test_letters_are_read(text: str, letter: str) -> None:
    assert read_verdict(text, "pairwise") == (1.0 if letter == "A" else -1.0)


@pytest.mark.parametrize("text", NO_LETTERS)
def test_no_letter_is_guessed(text: str) -> None:
    assert read_verdict(text, "pairwise") is None


def test_yes_and_no_are_read() -> None:
    found = [read_verdict(text, "yes-no") for text in ("Yes.", "No, it is not.", "Perhaps", "")]
    assert found == [1.0, -1.0, None, None]


@settings(max_examples=60)
@given(
    st.text("AB 019/.-,\n[]*:responsis better", max_size=30),
    st.sampled_from(["rating", "yes-no", "pairwise"]),
)
def test_any_text_is_read_or_not(text: str, form: str) -> None:
    verdict = read_verdict(text, form)  # type: ignore[arg-type]
    assert verdict is None or -1 <= verdict <= 1


def test_a_judge_is_asked_what_the_reward_model_asks_but_for_ratings() -> None:
    plain = RewardPrompt("It is good.").scalar("Why?", "So.").messages[-1].text
    asked = judge_prompt("It is good.", "rating").scalar("Why?", "So.").messages[-1].text
    assert judge_prompt("It is good.", "yes-no").scalar("Why?", "So.").messages[-1].text == plain
    # The response is shown alike; only the question differs.
    assert asked.split("\n\n")[0] == plain.split("\n\n")[0]
    assert "from 1" in asked
    assert "It is good." in asked


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(InputError, match="form is one of"):
        judge_prompt("It is good.", "stars")  # type: ignore[arg-type]
