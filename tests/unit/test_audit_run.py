import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from planted_rewarders import (
    PlantedRewarder,
    by_characters,
    by_coin,
    by_phrases,
    by_truth,
    by_words,
)

from headwise.errors import HeadwiseError, InputError
from headwise.evaluation.audit import (
    AuditPlan,
    AuditReport,
    AuditSettings,
    Condition,
    FittedSubject,
    MethodSubject,
    Outcome,
    audit_markdown,
    estimate,
    fact_rows,
    run_audit,
    scene_rows,
)
from headwise.examples import Preference

ITEMS = 24


def audited(reward, rows=None, **settings):
    plan = AuditPlan(rows or fact_rows(), AuditSettings(items=ITEMS, **settings))
    return run_audit(FittedSubject("planted", PlantedRewarder(reward)), plan)


@pytest.mark.parametrize("reward", [by_characters, by_words])
def test_whoever_likes_length_is_found_to_like_length_and_nothing_else(reward):
    report = audited(reward)
    assert report.found == ("length",)
    for finding in report.findings:
        if finding.bias != "length":
            assert finding.figures.susceptibility.value == 0
    length = next(one for one in report.findings if one.bias == "length")
    assert length.figures.tempted.value == 0
    assert length.figures.helped.value == 1


def test_length_is_told_apart_on_pictures_too():
    report = audited(by_characters, scene_rows(ITEMS, ITEMS))
    assert report.found == ("length",)
    assert {one.bias for one in report.findings} >= {"usual", "flattery"}


def test_whoever_knows_the_truth_falls_for_nothing():
    report = audited(by_truth)
    assert report.found == ()
    for finding in report.findings:
        assert finding.figures.plain.value == 1
        assert finding.figures.susceptibility.value == 0


def test_a_coin_is_right_half_the_time():
    report = audited(by_coin)
    assert all(abs(one.figures.plain.value - 0.5) < 0.2 for one in report.findings)
    fell = [one.figures.susceptibility.value for one in report.findings]
    assert max(map(abs, fell)) < 0.35
    assert abs(np.mean(fell)) < 0.1


@pytest.mark.parametrize(
    ("bias", "phrases"),
    [
        ("formatting", (r"\*\*",)),
        ("authority", ("Professor", "Institute", "Journal", r"Dr\.", "Academy", "Handbook")),
        ("keywords", (r"\w+, \w+, \w+\.",)),
    ],
)
def test_a_planted_liking_is_found(bias, phrases):
    report = audited(by_phrases(*phrases), strengths=(3,))
    finding = next(one for one in report.findings if one.bias == bias)
    assert finding.is_found
    assert finding.figures.plain.value == 1
    assert set(report.found) <= {bias}


def test_stronger_doses_mislead_more_where_each_phrase_counts():
    def reward(pair: Preference, response: str) -> float:
        # Truth is worth two exclamation marks and a half.
        return 2.5 * by_truth(pair, response) + response.count("!")

    report = audited(reward, biases=("positivity",))
    doses = [dose.figures.susceptibility.value for dose in report.findings[0].doses]
    assert doses[0] == 0
    assert doses == sorted(doses)
    assert doses[-1] > 0.2


def test_figures_are_those_of_a_hand_count():
    outcome = Outcome(
        "length",
        1,
        Condition(),
        ids=("a", "b", "c", "d"),
        plain=(1.0, 2.0, 0.0, -1.0),
        tempting=(1.0, -3.0, -1.0, -1.0),
        helped=(1.0, 1.0, 1.0, -1.0),
    )
    settings = AuditSettings(biases=("length",), strengths=(1,), items=4)
    figures = AuditReport("x", "y", settings, (outcome,), {}).findings[0].figures
    assert figures.plain.value == (1 + 1 + 0.5 + 0) / 4
    assert figures.tempted.value == 1 / 4
    assert figures.helped.value == 3 / 4
    assert figures.susceptibility.value == (0 + 1 + 0.5 + 0) / 4


def test_strengths_are_averaged_within_an_item():
    weak = Outcome("length", 1, Condition(), ("a", "b"), (1.0, 1.0), (1.0, -1.0))
    strong = Outcome("length", 2, Condition(), ("a", "b"), (1.0, 1.0), (-1.0, -1.0))
    settings = AuditSettings(biases=("length",), strengths=(1, 2), items=2)
    finding = AuditReport("x", "y", settings, (weak, strong), {}).findings[0]
    assert finding.figures.susceptibility.value == 0.75
    assert finding.figures.susceptibility.n == 2
    assert [dose.figures.susceptibility.value for dose in finding.doses] == [0.5, 1.0]


def test_intervals_hold_the_mean_and_shrink_with_items():
    rng = np.random.default_rng(0)
    few, many = (estimate((rng.random(n) < 0.7).astype(float)) for n in (20, 500))
    for one in (few, many):
        assert one.low <= one.value <= one.high
    assert many.high - many.low < few.high - few.low
    # 1.96 standard errors of a share of 0.7 among 500.
    assert many.high - many.low == pytest.approx(2 * 1.96 * (0.21 / 500) ** 0.5, rel=0.15)


def test_the_first_place_counts_only_where_two_are_shown():
    plan = AuditPlan(fact_rows(), AuditSettings(items=ITEMS, biases=("position",)))
    alone = run_audit(FittedSubject("alone", PlantedRewarder(by_truth)), plan)
    assert alone.not_applicable == ("position",)
    assert alone.findings == ()
    assert "judges each answer alone" in alone.notes[0]
    liking = PlantedRewarder(by_truth, shows_order=True, first_bonus=2.0)
    report = run_audit(FittedSubject("pairs", liking), plan)
    assert report.found == ("position",)
    fair = PlantedRewarder(by_truth, shows_order=True)
    assert run_audit(FittedSubject("fair", fair), plan).found == ()


@dataclass
class LearnsFromPunishment:
    """Likes exclamation marks, until most of the pairs it is shown call them wrong."""

    supports: list[list[Preference]] = field(default_factory=list)

    def fit(self, engine, preferences, *, progress=False):
        self.supports.append(list(preferences))
        votes = [str(p.rejected).count("!") - str(p.chosen).count("!") for p in preferences]
        weight = 0.0 if sum(np.sign(votes)) > 0 else 2.0
        return PlantedRewarder(
            lambda pair, text: by_truth(pair, text) + weight * min(text.count("!"), 1)
        )


def test_added_pairs_and_their_noise_are_measured():
    method = LearnsFromPunishment()
    settings = AuditSettings(
        biases=("positivity", "length"),
        strengths=(2,),
        items=ITEMS,
        few_shot=(4,),
        noise=(0.5,),
    )
    subject = MethodSubject("learner", method, engine=None)
    report = run_audit(subject, AuditPlan(fact_rows(), settings, fits=True))
    by_condition = {one.condition: one for one in report.findings if one.bias == "positivity"}
    assert by_condition[Condition()].is_found
    clean, noisy = by_condition[Condition(4)], by_condition[Condition(4, 0.5)]
    assert clean.figures.susceptibility.value == 0
    assert clean.susceptibility_change.high < 0
    assert clean.plain_change.value == 0
    assert noisy.susceptibility_change.value == 0
    # One fit for what all biases share, then one for each of two biases and two shares of noise.
    assert [len(support) for support in method.supports] == [20, 24, 24, 24, 24]
    page = audit_markdown(report)
    assert "## After pairs that punish the bias" in page
    assert "| positivity | 4 | 50% |" in page


def test_what_is_fitted_already_says_that_nothing_was_added():
    report = audited(by_truth, few_shot=(4,), biases=("length",), strengths=(1,))
    assert {one.condition for one in report.findings} == {Condition()}
    assert "do not apply" in report.notes[0]


def test_a_report_survives_json():
    report = audited(by_coin, strengths=(1, 3))
    again = AuditReport.from_json(report.to_json())
    assert again == report
    assert again.findings == report.findings
    document = json.loads(report.to_json())
    assert document["findings"][0]["figures"]["plain"]["n"] == ITEMS
    assert len(document["outcomes"][0]["plain"]) == ITEMS


@pytest.mark.parametrize("text", ["[]", "{}", "no", '{"kind": "headwise-audit"}'])
def test_what_is_no_report_is_refused(text):
    with pytest.raises(InputError):
        AuditReport.from_json(text)


def test_a_killed_audit_goes_on_where_it_stopped(tmp_path):
    plan = AuditPlan(fact_rows(), AuditSettings(items=6, biases=("length", "flattery")))
    whole = PlantedRewarder(by_coin)
    expected = run_audit(FittedSubject("coin", whole), plan, tmp_path / "whole")

    class Killed(PlantedRewarder):
        def margins(self, preferences, *, progress=False):
            if len(self.asked) >= 3 * 18:
                raise KeyboardInterrupt
            return super().margins(preferences)

    with pytest.raises(KeyboardInterrupt):
        run_audit(FittedSubject("coin", Killed(by_coin)), plan, tmp_path / "killed")
    second = PlantedRewarder(by_coin)
    assert run_audit(FittedSubject("coin", second), plan, tmp_path / "killed") == expected
    assert len(second.asked) == len(whole.asked) - 3 * 18
    with pytest.raises(InputError, match="another job"):
        run_audit(FittedSubject("other", second), plan, tmp_path / "killed")


def test_a_margin_that_is_no_number_is_refused():
    plan = AuditPlan(fact_rows(), AuditSettings(items=4))
    broken = PlantedRewarder(lambda pair, response: float("nan"))
    with pytest.raises(HeadwiseError, match="NaN"):
        run_audit(FittedSubject("broken", broken), plan)


def test_the_page_names_what_was_found():
    page = audit_markdown(audited(by_characters))
    assert "Biases found: **length**." in page
    assert page.count("**found**") == 2
    assert "| length | strength" not in page
    assert "| bias | strength 1 | strength 2 | strength 3 |" in page
