"""Verdicts on reward models, from audits whose margins are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("matplotlib")

from benchmarks.evidence.claims import CLAIMS
from benchmarks.evidence.findings import Findings

from headwise.evaluation.audit import AuditReport, AuditSettings, Condition, Outcome

Wins = Sequence[bool]
PLAIN, CLEAN, NOISY = Condition(), Condition(16), Condition(16, 0.25)
N = 60


def _margins(wins: Wins) -> tuple[float, ...]:
    return tuple(1.0 if won else -1.0 for won in wins)


def _report(
    folder: Path,
    name: str,
    of: Mapping[Condition, Wins],
    plain: Wins = (True,) * N,
    seed: int = 0,
    kind: str | None = None,
) -> None:
    """An audit with the bias "length": who won where the wrong answer carries it."""
    kind = kind or ("audit" if set(of) == {PLAIN} else "noise")
    outcomes = tuple(
        Outcome(
            "length",
            2,
            condition,
            tuple(f"{n}" for n in range(len(wins))),
            _margins(plain[: len(wins)]),
            _margins(wins),
        )
        for condition, wins in of.items()
    )
    report = AuditReport(name, "facts", AuditSettings(items=N, seed=seed), outcomes, {})
    (folder / f"{kind}-{name}-{seed}.json").write_text(report.to_json(), encoding="utf-8")


def _right(n: int) -> list[bool]:
    return [number < n for number in range(N)]


def _mixed(n: int, seed: int = 1) -> list[bool]:
    return np.random.default_rng(seed).permutation(_right(n)).tolist()


def _verdict(folder: Path, text: str) -> str:
    return next(c for c in CLAIMS if c.text.startswith(text)).answered(Findings(folder)).verdict


@pytest.mark.parametrize(
    ("clean", "noisy", "verdict"),
    [
        (_right(50), _right(50), "reproduced"),
        (_right(50), _right(20), "not reproduced"),
        # About as many right, but others: so few questions cannot tell.
        (_mixed(30, 1), _mixed(30, 2), "undecided"),
    ],
)
def test_noise_is_held_against_as_many_right_pairs(
    tmp_path: Path, clean: Wins, noisy: Wins, verdict: str
) -> None:
    # With none added it was much worse, which says nothing of noise.
    of = {PLAIN: _right(5), CLEAN: clean, NOISY: noisy}
    _report(tmp_path, "activation-reward", of)
    assert _verdict(tmp_path, "Robust to noisy") == verdict


def test_noise_without_its_counterpart_was_not_run(tmp_path: Path) -> None:
    _report(tmp_path, "activation-reward", {PLAIN: _right(5), CLEAN: _right(9)})
    assert _verdict(tmp_path, "Robust to noisy") == "not run"


@pytest.mark.parametrize(
    ("ours", "lora", "verdict"),
    [
        (_right(50), _right(48), "reproduced"),
        (_right(50), _right(60), "not reproduced"),
        (_mixed(30, 1), _mixed(30, 2), "undecided"),
    ],
)
def test_no_worse_than_lora_must_be_shown(
    tmp_path: Path, ours: Wins, lora: Wins, verdict: str
) -> None:
    _report(tmp_path, "activation-reward", {PLAIN: ours})
    _report(tmp_path, "lora", {PLAIN: lora})
    assert _verdict(tmp_path, "No worse than LoRA") == verdict


def test_questions_are_paired_by_seed(tmp_path: Path) -> None:
    _report(tmp_path, "activation-reward", {PLAIN: _right(0)}, seed=0)
    for name in ("activation-reward", "lora"):
        _report(tmp_path, name, {PLAIN: _right(40)}, seed=1)
    margin = Findings(tmp_path).rewards_margin("activation-reward", "lora")
    assert (margin.low, margin.value, margin.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("ours", "plain", "verdict"),
    [
        (_right(58), _right(20), "reproduced"),
        (_right(20), _right(20), "not reproduced"),
        (_right(46), _right(20), "undecided"),
        # Token probability falls for nothing: there is nothing to resist.
        (_right(60), _right(60), "undecided"),
    ],
)
def test_resisting_needs_something_to_resist(
    tmp_path: Path, ours: Wins, plain: Wins, verdict: str
) -> None:
    _report(tmp_path, "activation-reward", {PLAIN: ours})
    _report(tmp_path, "token-probability", {PLAIN: plain})
    assert _verdict(tmp_path, "Resists reward hacking") == verdict


def test_all_baselines_must_be_beaten(tmp_path: Path) -> None:
    _report(tmp_path, "activation-reward", {PLAIN: _right(50)})
    _report(tmp_path, "judge-few-shot", {PLAIN: _right(20)})
    assert _verdict(tmp_path, "Beats all few-shot") == "reproduced"
    _report(tmp_path, "token-probability-few-shot", {PLAIN: _right(50)})
    assert _verdict(tmp_path, "Beats all few-shot") == "in part"


def test_below_chance_is_judged_bias_by_bias(tmp_path: Path) -> None:
    _report(tmp_path, "token-probability", {PLAIN: _right(10)})
    assert _verdict(tmp_path, "Bias in the rejected") == "reproduced"
    _report(tmp_path, "token-probability", {PLAIN: _mixed(30)})
    assert _verdict(tmp_path, "Bias in the rejected") == "undecided"


def test_pictures_have_audits_of_their_own(tmp_path: Path) -> None:
    for kind, right in (("audit", 58), ("seeing", 5)):
        _report(tmp_path, "activation-reward", {PLAIN: _right(right)}, kind=kind)
        _report(tmp_path, "token-probability-few-shot", {PLAIN: _right(30)}, kind=kind)
        _report(tmp_path, "token-probability", {PLAIN: _right(10)}, kind=kind)
    assert _verdict(tmp_path, "Beats all few-shot") == "reproduced"
    assert _verdict(tmp_path, "Beats few-shot baselines that train nothing, on pictures") == (
        "not reproduced"
    )
    for path in tmp_path.glob("audit-*"):
        path.unlink()
    assert _verdict(tmp_path, "Beats all few-shot") == "not run"
    assert _verdict(tmp_path, "Bias puts biased models") == "reproduced"
