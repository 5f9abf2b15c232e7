"""Answers are read out of whatever a model wrote around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwise.errors import InputError
from headwise.prompts.answer_format import ANSWER_FORMATS, AnswerFormat, Question
from headwise.prompts.answer_reading import is_right, letter_of, normalized, read_answer

OPTIONS = {"A": "a cat", "B": "a dog", "C": "black dog", "D": "none"}


def question(form: AnswerFormat) -> Question:
    return Question("Which?", form, OPTIONS if form == "options" else {})


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        *(("Yes", "Yes"), ("yes.", "Yes"), ("**No**", "No"), ("The answer is no.", "No")),
        *(("It is red, so yes.", "Yes"), ("Answer: Yes", "Yes"), ("No, it is not.", "No")),
        *(("No dog? The answer is: Yes", "Yes"), ("Yes or no? No.", "No"), ("yes/no", None)),
        *(("I think so", None), ("", None), ("It is yes and no", None)),
    ],
)
def test_yes_and_no(text: str, answer: str | None) -> None:
    assert read_answer(text, question("yes-no")) == answer


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        *(("B", "B"), ("(b)", "B"), ("B.", "B"), ("b) a dog", "B"), ("**B**", "B")),
        *(("The answer is (C).", "C"), ("The correct option is D", "D"), ("Option A", "A")),
        *(("Answer: B. a dog", "B"), ("a dog", "B"), ("A dog is here", "B")),
        *(("It shows a black dog.", "C"), ("I think it must be B because of it", "B")),
        *(("E", None), ("Either B or C", None), ("nothing here", None), ("", None)),
    ],
)
def test_letters(text: str, letter: str | None) -> None:
    assert read_answer(text, question("options")) == letter


@pytest.mark.parametrize(
    ("text", "word"),
    [
        *(("Red.", "Red"), ("The answer is red.", "red"), ('"Two dogs"', "Two dogs")),
        *(("red\nbecause it is", "red"), ("**Answer:** blue", "blue"), ("3.5", "3.5")),
        *(("So, the final answer is: left of", "left of"), ("The answer is:\nred", "red")),
        *(("", None), ("...", None)),
    ],
)
def test_words(text: str, word: str | None) -> None:
    assert read_answer(text, question("word")) == word


@given(text=st.text(max_size=40), form=st.sampled_from(ANSWER_FORMATS))
def test_no_text_is_an_error(text: str, form: AnswerFormat) -> None:
    answer = read_answer(text, question(form))
    assert answer is None or answer.strip()
    assert form != "options" or answer is None or answer in OPTIONS
    assert form != "yes-no" or answer in (None, "Yes", "No")


@given(letter=st.sampled_from("ABCD"), around=st.sampled_from(["{}", "({})", "{}.", "**{}**"]))
def test_a_letter_is_read_whatever_is_around_it(letter: str, around: str) -> None:
    assert read_answer(f" {around.format(letter)}\n", question("options")) == letter


def test_answers_are_compared_as_people_would() -> None:
    word = question("word")
    assert normalized("The Two dogs, 3.5 and 1,000.") == "2 dogs 3.5 and 1000"
    assert is_right("two", "2", word)
    assert is_right("The dog!", "a DOG", word)
    assert not is_right("dogs", "dog", word)
    assert not is_right(None, "dog", word)
    assert is_right("Yes", "true", question("yes-no"))
    assert is_right("B", "A dog", question("options"))
    assert letter_of("b", OPTIONS) == "B"
    with pytest.raises(InputError, match="neither the letter nor the text"):
        letter_of("a bird", OPTIONS)
