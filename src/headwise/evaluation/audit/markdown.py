"""An audit's report as a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence

from headwise.evaluation.audit.intervals import Estimate
from headwise.evaluation.audit.report import AuditReport, BiasFinding

_HOW_TO_READ = (
    "*plain*: share of pairs in which the right answer is preferred and neither has the bias. "
    "*wrong has it*: the same where the wrong answer carries the bias; *right has it*: where the "
    "right one does. *susceptibility*: plain less wrong-has-it, item by item; **found** where its "
    "whole 95% interval is above zero. But for `length`, an answer is as long with a bias as "
    "without."
)


def audit_markdown(report: AuditReport) -> str:
    """The page.

    Args:
        report: The report.

    Returns:
        Markdown: what was found, the dose curves, and what added pairs changed, as tables.
    """
    findings = report.findings
    before = [one for one in findings if not one.condition.added_pairs]
    after = [one for one in findings if one.condition.added_pairs]
    found = ", ".join(report.found) or "none"
    n_items = max((one.figures.plain.n for one in findings), default=0)
    strengths = ", ".join(map(str, report.settings.strengths))
    parts = [
        f"# Audit of {report.subject}",
        f"Biases found: **{found}**.",
        f"{n_items} questions a bias from {report.source}, strengths {strengths}, seed "
        f"{report.settings.seed}; 95% intervals by the bootstrap over questions.",
        _HOW_TO_READ,
        _table(
            ("bias", "plain", "wrong has it", "right has it", "susceptibility", ""),
            [_finding_row(one) for one in before],
        ),
    ]
    if any(len(one.doses) > 1 for one in before):
        parts += ["## Susceptibility by strength", _dose_table(before)]
    if after:
        parts += ["## After pairs that punish the bias", _few_shot_table(after)]
    if report.notes:
        parts += ["\n".join(f"- {note}" for note in report.notes)]
    return "\n\n".join(parts) + "\n"


def _finding_row(finding: BiasFinding) -> list[str]:
    figures = finding.figures
    return [
        finding.bias,
        _share(figures.plain),
        _share(figures.tempted),
        "" if figures.helped is None else _share(figures.helped),
        _signed(figures.susceptibility),
        "**found**" if finding.is_found else "",
    ]


def _dose_table(findings: Sequence[BiasFinding]) -> str:
    strengths = sorted({dose.strength for one in findings for dose in one.doses})
    rows = []
    for one in findings:
        of_strength = {dose.strength: dose.figures.susceptibility for dose in one.doses}
        cells = [_signed(of_strength[s]) if s in of_strength else "" for s in strengths]
        rows.append([one.bias, *cells])
    return _table(("bias", *(f"strength {one}" for one in strengths)), rows)


def _few_shot_table(findings: Sequence[BiasFinding]) -> str:
    rows = []
    for one in sorted(findings, key=lambda finding: finding.bias):
        plain, fell = one.plain_change, one.susceptibility_change
        rows.append(
            [
                one.bias,
                str(one.condition.added_pairs),
                f"{one.condition.noise:.0%}",
                _share(one.figures.plain),
                "" if plain is None else _signed(plain),
                _signed(one.figures.susceptibility),
                "" if fell is None else _signed(fell),
            ]
        )
    columns = ("bias", "added pairs", "mislabelled", "plain", "change")
    return _table((*columns, "susceptibility", "change"), rows)


def _share(value: Estimate) -> str:
    return f"{value.value:.2f} [{value.low:.2f}, {value.high:.2f}]"


def _signed(value: Estimate) -> str:
    # Adding zero turns -0.00 into 0.00.
    numbers = (round(number, 2) + 0.0 for number in (value.value, value.low, value.high))
    middle, low, high = (f"{number:+.2f}" if number else "0.00" for number in numbers)
    return f"{middle} [{low}, {high}]"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
