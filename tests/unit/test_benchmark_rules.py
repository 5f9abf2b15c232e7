"""Scoring rules on their own, worked out by hand."""

from __future__ import annotations

import pytest

from headwise.benchmarks.scoring.binary import f1_of
from headwise.benchmarks.scoring.circular import rotations
from headwise.benchmarks.scoring.groups import match_scores
from headwise.benchmarks.scoring.judging import Judged, Rating, read_rating, relative_scores
from headwise.benchmarks.scoring.vqa_accuracy import normalised, vqa_accuracy
from headwise.errors import InputError


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        ("A dog", "dog"),
        ("the  Dog\n", "dog"),
        ("Two", "2"),
        ("none", "0"),
        ("eleven", "eleven"),
        ("dont", "don't"),
        ("couldntve", "couldntve"),
        ("couldn'tve", "couldn't've"),
        ("what's", "what's"),
        ("its", "its"),
        # A sign beside a blank goes; others become blanks.
        ("yes, it is", "yes it is"),
        ("red-white", "red white"),
        ("red - white", "red white"),
        # A comma within a number makes all signs go.
        ("1,000", "1000"),
        ("1,000-2", "10002"),
        # Full stops stay before a digit only.
        ("3.5", "3.5"),
        ("mr. smith.", "mr smith"),
        ("u.s.a.", "usa"),
        # Colons and apostrophes are no punctuation here.
        ("10:30", "10:30"),
        ("dog's", "dog's"),
        ("a", ""),
    ],
)
def test_answers_are_normalised_as_vqa_does(answer: str, plain: str) -> None:
    assert normalised(answer) == plain


def test_vqa_accuracy_leaves_each_person_out_in_turn() -> None:
    # 2 of 10 agree: left out is one of them twice (1 agrees), another 8 times (2 agree).
    assert vqa_accuracy("dog", ["dog"] * 2 + ["cat"] * 8) == pytest.approx(
        (2 * (1 / 3) + 8 * (2 / 3)) / 10
    )
    # 3 of 10: 3 times 2/3, 7 times 1.
    assert vqa_accuracy("dog", ["dog"] * 3 + ["cat"] * 7) == pytest.approx((3 * (2 / 3) + 7) / 10)
    assert vqa_accuracy("dog", ["dog"] * 4 + ["cat"] * 6) == 1.0
    assert vqa_accuracy("dog", ["dog"] + ["cat"] * 9) == pytest.approx(9 * (1 / 3) / 10)
    assert vqa_accuracy("dog", ["cat"] * 10) == 0.0


def test_vqa_accuracy_compares_what_is_normalised() -> None:
    assert vqa_accuracy("Two dogs.", ["2 dogs"] * 4 + ["two Dogs"] * 6) == 1.0
    assert vqa_accuracy("The dog", ["dog"] * 10) == 1.0
    assert vqa_accuracy(None, ["dog"] * 10) == 0.0
    with pytest.raises(InputError, match="nothing"):
        vqa_accuracy("dog", [])


def test_rotations_move_options_on_and_keep_the_answer() -> None:
    found = rotations(["w", "x", "y"], 1)
    assert [turn.options for turn in found] == [
        *(("w", "x", "y"), ("x", "y", "w"), ("y", "w", "x"))
    ]
    assert [turn.options[turn.answer] for turn in found] == ["x"] * 3
    with pytest.raises(InputError, match="can't be right"):
        rotations(["w", "x"], 2)


@pytest.mark.parametrize(
    ("scores", "text", "image"),
    [
        ({"00": 0.9, "10": 0.1, "01": 0.1, "11": 0.9}, True, True),
        # Caption 0 scores higher on both pictures.
        ({"00": 0.9, "10": 0.1, "01": 0.8, "11": 0.7}, False, True),
        # Picture 0 scores higher for both captions.
        ({"00": 0.9, "10": 0.8, "01": 0.1, "11": 0.7}, True, False),
        # Ties are lost.
        ({"00": 1.0, "10": 1.0, "01": 0.0, "11": 1.0}, False, False),
        ({"00": 0.5, "10": 0.5, "01": 0.5, "11": 0.5}, False, False),
    ],
)
def test_winogrounds_scores_are_strict(scores: dict[str, float], text: bool, image: bool) -> None:
    found = match_scores(scores)
    assert (found.text, found.image, found.group) == (text, image, text and image)


def test_f1_is_of_one_label() -> None:
    said, meant = ["Yes", "Yes", None, "No"], ["Yes", "No", "Yes", "No"]
    # Yes: 1 both, 2 said, 2 meant. No: 1 both, 1 said, 2 meant.
    assert f1_of(said, meant, "Yes") == pytest.approx(2 / 4)
    assert f1_of(said, meant, "No") == pytest.approx(2 / 3)
    assert f1_of(["No"], ["No"], "Yes") == 0.0


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("8 6\nThe first is better.", Rating(8, 6)),
        ("\n8.5, 10\n", Rating(8.5, 10)),
        ("Answer 1: 8/10, Answer 2: 7/10", None),
        ("Ratings:\n7 9", Rating(7, 9)),
        ("Both are good.", None),
        ("11 3", None),
        ("", None),
    ],
)
def test_a_rating_is_the_first_line_of_two_numbers(text: str, rating: Rating | None) -> None:
    assert read_rating(text) == rating


def test_relative_scores_are_ratios_of_sums() -> None:
    judged = [
        Judged(Rating(8, 4), "conv"),
        Judged(Rating(10, 9), "conv"),
        Judged(Rating(5, 10), "detail"),
        Judged(None, "detail"),
    ]
    found = {(m.name, m.split): m.value for m in relative_scores(judged)}
    assert found["relative_score", "all"] == pytest.approx(23 / 23)
    assert found["relative_score", "conv"] == pytest.approx(13 / 18)
    assert found["relative_score", "detail"] == pytest.approx(2.0)
    assert found["unrated", "all"] == pytest.approx(1 / 4)
    with pytest.raises(InputError, match="stronger judge"):
        relative_scores([Judged(None, "conv")])
