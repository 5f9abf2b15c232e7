"""Figures, intervals and tests against hand-computed cases, scikit-learn and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, f1_score

from headwise.errors import InputError
from headwise.evaluation.calibration import (
    brier_score,
    calibration,
    expected_calibration_error,
    reliability,
)
from headwise.evaluation.comparisons import holm, mcnemar_exact, paired_test
from headwise.evaluation.intervals import Design, mean_interval, mean_of, two_level, wilson
from headwise.evaluation.metrics import Decisions, accuracy, class_figure


def test_wilson_is_the_textbook_interval() -> None:
    # (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n), p = 0.8, n = 10, z = 1.959964.
    found = wilson(8, 10)
    assert (found.value, found.how) == (0.8, "wilson")
    assert (found.low, found.high) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)


def test_a_perfect_share_is_still_doubted() -> None:
    found = wilson(10, 10)
    assert found.high == 1.0
    assert found.low == pytest.approx(0.7224672, abs=1e-6)
    with pytest.raises(InputError, match="5 of 4"):
        wilson(5, 4)


def test_a_mean_of_shares_is_wilsons_for_one_seed_and_a_bootstrap_for_more() -> None:
    one = np.array([[1.0, 1, 0, 1]])
    assert mean_interval(one, Design.of(1, 4)).how == "wilson"
    assert mean_interval(np.vstack([one, 1 - one]), Design.of(2, 4)).how == "bootstrap"
    # Items that go together are fewer than they look.
    assert mean_interval(one, Design.of(1, 4, ["a", "a", "b", "b"])).how == "bootstrap"


def test_scores_that_are_all_alike_are_doubted_by_their_units() -> None:
    found = mean_interval(
        np.ones((3, 8)), Design.of(3, 8, ["a", "a", "b", "b", "c", "c", "d", "d"])
    )
    assert found == wilson(4, 4)


def test_groups_are_drawn_whole_and_within_their_split() -> None:
    design = Design.of(2, 5, ["g", "g", None, None, None], ["a", "a", "b", "b", "b"])
    for seeds, items in design.draws(200, seed=1):
        assert (seeds.sum(axis=1) == 2).all()
        assert (items[:, 0] == items[:, 1]).all()
        # The split "a" has one unit, so it is always drawn once.
        assert (items[:, 0] == 1).all()
        assert (items[:, 2:].sum(axis=1) == 3).all()


def test_resamples_of_a_seed_are_the_same() -> None:
    scores = np.random.default_rng(0).random((3, 20))
    first, again = (two_level(mean_of(scores), Design.of(3, 20), seed=4) for _ in range(2))
    assert first == again
    assert first != two_level(mean_of(scores), Design.of(3, 20), seed=5)


@pytest.mark.parametrize(("seed_share", "least"), [(0.0, 0.92), (0.06, 0.85)])
def test_the_interval_covers_the_true_mean(seed_share: float, least: float) -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for trial in range(120):
        chances = np.clip(
            0.7 + rng.normal(0, 0.2, (1, 120)) + rng.normal(0, seed_share, (5, 1)), 0, 1
        )
        scores = (rng.random((5, 120)) < chances).astype(float)
        found = two_level(mean_of(scores), Design.of(5, 120), n_resamples=300, seed=trial)
        covered += found.low <= 0.697 <= found.high
    assert covered / 120 >= least


def test_seeds_that_differ_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    alike = np.repeat((rng.random((1, 200)) < 0.5).astype(float), 4, axis=0)
    shifted = alike.copy()
    shifted[0], shifted[1] = 0, 1
    widths = [
        (found.high - found.low)
        for found in (two_level(mean_of(s), Design.of(4, 200)) for s in (alike, shifted))
    ]
    assert widths[1] > 2 * widths[0]


TRUTH = ["a"] * 6 + ["b"] * 3 + ["c"]
GIVEN = ["a", "a", "a", "a", "b", "c", "b", "b", "a", "a"]


def test_figures_of_classes_are_scikit_learns() -> None:
    decisions = Decisions.of(TRUTH, [GIVEN])
    design = Design.of(1, 10)
    balanced = class_figure(decisions, design, "balanced accuracy")
    macro = class_figure(decisions, design, "macro F1")
    of_b = class_figure(decisions, design, "F1", positive="b")
    assert accuracy(decisions, design).value == 0.6
    assert balanced.value == pytest.approx(balanced_accuracy_score(TRUTH, GIVEN))
    assert macro.value == pytest.approx(f1_score(TRUTH, GIVEN, average="macro"))
    # Of b: 2 right of 3 given and 3 there.
    assert of_b.value == pytest.approx(2 / 3)
    assert all(0 <= f.low <= f.value <= f.high <= 1 for f in (balanced, macro, of_b))


def test_an_answer_that_is_no_class_is_wrong_and_no_other_class_is_blamed() -> None:
    decisions = Decisions.of(["a", "a", "b"], [["a", None, "b"], ["a", "z", "b"]])
    design = Design.of(2, 3)
    assert accuracy(decisions, design).value == pytest.approx(2 / 3)
    assert class_figure(decisions, design, "balanced accuracy").value == pytest.approx(0.75)
    # F1 of a: 2*1/(2+1); of b: 1.
    assert class_figure(decisions, design, "macro F1").value == pytest.approx((2 / 3 + 1) / 2)
    with pytest.raises(InputError, match="'z'"):
        class_figure(decisions, design, "F1", positive="z")


def test_mcnemar_is_exact() -> None:
    # P(X <= 1) for X ~ B(9, 1/2) is 10/512, twice that is two-sided.
    assert mcnemar_exact(1, 8) == pytest.approx(20 / 512)
    assert mcnemar_exact(0, 0) == 1.0


def test_a_paired_test_counts_what_only_one_has_right() -> None:
    first = np.array([[1.0] * 9 + [0, 1, 0]])
    second = np.array([[0.0] * 8 + [1, 1, 1, 0]])
    found = paired_test(first, second, Design.of(1, 12))
    assert (found.only_first, found.only_second) == (8, 1)
    assert found.p_mcnemar == pytest.approx(20 / 512)
    assert found.difference.value == pytest.approx(7 / 12)
    assert found.difference.low > 0
    assert found.p_bootstrap < 0.05
    assert paired_test(second, first, Design.of(1, 12)).difference.value == pytest.approx(-7 / 12)


def test_a_paired_test_puts_a_method_without_seeds_beside_every_seed() -> None:
    seeds = np.array([[1.0, 1, 0, 0], [1, 0, 0, 1], [1, 1, 0, 1]])
    found = paired_test(seeds, np.zeros((1, 4)), Design.of(3, 4))
    # Most seeds have items 0, 1 and 3 right.
    assert (found.only_first, found.only_second) == (3, 0)
    assert found.difference.value == pytest.approx(seeds.mean())
    with pytest.raises(InputError, match=r"\(2, 4\)"):
        paired_test(seeds, np.zeros((2, 4)), Design.of(3, 4))


def test_methods_that_are_equal_differ_by_nothing() -> None:
    scores = np.random.default_rng(0).integers(0, 2, (2, 30)).astype(float)
    found = paired_test(scores, scores, Design.of(2, 30))
    assert (found.p_bootstrap, found.p_mcnemar, found.difference.value) == (1.0, 1.0, 0.0)


def test_holm_steps_down() -> None:
    # Sorted 0.01 * 4, 0.02 * 3, 0.03 * 2 (not below the one before), 0.5 * 1.
    assert holm([0.02, 0.5, 0.01, 0.03]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert holm([0.4, 0.6]) == [0.8, 0.8]
    assert holm([]) == []


def test_calibration_by_hand() -> None:
    confidences = np.array([0.6, 0.6, 0.8, 0.9])
    right = np.array([1.0, 0, 1, 1])
    bins = reliability(confidences, right, 2)
    assert [(b.confidence, b.accuracy, b.n) for b in bins] == [
        pytest.approx((0.6, 0.5, 2)),
        pytest.approx((0.85, 1.0, 2)),
    ]
    # (2 * 0.1 + 2 * 0.15) / 4
    assert expected_calibration_error(bins) == pytest.approx(0.125)


def test_answers_of_one_confidence_are_never_parted() -> None:
    confidences = np.array([0.5] * 7 + [0.9])
    right = np.array([1.0, 1, 1, 0, 0, 0, 1, 1])
    assert [b.n for b in reliability(confidences, right, 4)] == [7, 1]
    turned = reliability(confidences, right[[6, 5, 4, 3, 2, 1, 0, 7]], 4)
    assert turned == reliability(confidences, right, 4)


def test_brier_is_scikit_learns_for_two_and_the_sum_for_more() -> None:
    shares = [[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]]
    assert brier_score(shares, [0, 0, 1]) == pytest.approx(
        brier_score_loss([1, 1, 0], [0.7, 0.2, 0.5])
    )
    # 0.4^2 + 0.3^2 + 0.1^2; and a right answer that was no option costs its whole 1.
    assert brier_score([[0.6, 0.3, 0.1]], [0]) == pytest.approx(0.26)
    assert brier_score([[0.6, 0.4]], [-1]) == pytest.approx((0.36 + 0.16 + 1) / 2)


def test_calibration_of_the_likeliest_option() -> None:
    found = calibration([[0.7, 0.3], [0.2, 0.8]], [0, 0], n_bins=1)
    assert (found.accuracy, found.confidence, found.n) == (0.5, pytest.approx(0.75), 2)
    assert found.ece == pytest.approx(0.25)
    with pytest.raises(InputError, match="0"):
        calibration([], [])
