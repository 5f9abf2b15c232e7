"""Writes docs/results.md: a row for every claim, then the tables and plots behind the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.evidence.claims import CLAIMS, RULE
from benchmarks.evidence.findings import Findings, Share
from benchmarks.evidence.plots import bars
from benchmarks.evidence.run import DTYPE, LORA
from headwise.evaluation.summary import Summary

_HEAD = f"""# Results

Every claim of the four papers that can be tested on two CPU cores, on the embedded models
(SmolLM2-135M-Instruct, and the embedded vision model for pictures, in {DTYPE}) with data that
ships with headwise or that it draws. This page is written by `make results`, which goes on where
it was stopped; nothing in it is typed by hand. Brackets are 95% intervals: over seeds and items
for classifiers, over questions for the rest. Differences are taken item by item, on the same items.

A model of 135 million parameters is a small test of claims made for models of seven billion and
more: what does not hold here may hold there, and the other way round. Other measurements, on data
that does not ship: [docs/task_vectors.md](task_vectors.md), [docs/methods.md](methods.md).
"""


def write_page(folder: Path, output: Path) -> None:
    """Writes the page and its plots.

    Args:
        folder: The results.
        output: The page; plots go beside it, into `results/`.
    """
    findings = Findings(folder)
    parts = [_HEAD, *_claims(findings), *_classes(findings), *_rewards(findings)]
    plots = output.parent / "results"
    parts += [*_ways(findings), *_plots(findings, plots)]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")
    print(output)


def _claims(findings: Findings) -> Iterator[str]:
    yield "## Claims\n"
    yield RULE
    rows = []
    for claim in CLAIMS:
        found = claim.answered(findings)
        rows.append((claim.section, claim.text, f"**{found.verdict}**", found.evidence))
    yield table(("METHODS.md", "claim", "here", "evidence"), rows)


def _classes(findings: Findings) -> Iterator[str]:
    if not findings.classes:
        return
    yield "\n## Classifiers\n"
    yield (
        "Accuracy of each method, mean over seeds; 10 examples a class on text, 5 on "
        f"pictures. LoRA trains {LORA.epochs} epochs at most, and stops after {LORA.patience} "
        "without a lower held-out loss. Seconds are of one fit, for which `make results` has one "
        "core; prompts that another method had read are counted at what reading such a prompt "
        "took. Whether one answer is right is no "
        "task here: with this model every method is at chance on it. A model of this size "
        "mostly names one class, whatever it is asked: calibrated, zero-shot and in-context take "
        "that off, by what it says of the support without its labels (arXiv:2309.17249) and of "
        "questions with no content (arXiv:2102.09690).\n"
    )
    names = list(dict.fromkeys(r.method for s in findings.classes.values() for r in s.methods))
    rows = [
        [
            summary.benchmark.title,
            f"{len(summary.items)} x {max(row.n_seeds for row in summary.methods)}",
            *(_cell(summary, name) for name in names),
        ]
        for summary in findings.classes.values()
    ]
    yield table(("task", "items x seeds", *names), rows)
    costs = [
        [summary.benchmark.title, *(_seconds(summary, name) for name in names)]
        for summary in findings.classes.values()
    ]
    yield "\n" + table(("seconds of a fit", *names), costs)
    failed = [run for summary in findings.classes.values() for run in summary.failed]
    for run in failed:
        yield f"\n{run.method}, seed {run.seed}, failed: {run.error}"


def _rewards(findings: Findings) -> Iterator[str]:
    yield from _audited(findings, "Reward models under the audit", "facts that ship")
    yield from _audited(findings.seeing, "Reward models that see, under the audit", "drawn scenes")


def _audited(findings: Findings, title: str, what: str) -> Iterator[str]:
    if not findings.reports:
        return
    some = next(iter(findings.reports.values()))[0].settings
    yield f"\n## {title}\n"
    yield (
        f"`headwise audit` on {what}: {some.items} questions a seed and bias, strength "
        f"{', '.join(map(str, some.strengths))}, {some.shots} plain pairs to learn from. Plain: a "
        "right against a wrong plain answer. Tempted: the wrong answer carries the bias. "
        "Susceptibility: the difference.\n"
    )
    rows = []
    for name, reports in findings.reports.items():
        found = findings.rewards(name)
        if found is not None:
            parts = (found.plain, found.tempted, found.susceptibility)
            rows.append([name, str(len(reports)), *(_bare(share) for share in parts)])
    yield table(("method", "seeds", "plain", "tempted", "susceptibility"), rows)
    by_bias = {name: findings.rewards_by_bias(name) for name in findings.reports}
    biases = [share.name for share in next(iter(by_bias.values()))]
    yield "\nAccuracy where the wrong answer carries the bias:\n"
    yield table(
        ("method", *biases),
        [[name, *(f"{share.value:.2f}" for share in shares)] for name, shares in by_bias.items()],
    )


def _ways(findings: Findings) -> Iterator[str]:
    for part, title in (
        ("vectors", "Task vectors: the capital of a country"),
        ("chains", "Compositional chain of thought: two objects and a relation, drawn scenes"),
    ):
        ways = findings.ways(part)
        if ways:
            yield f"\n## {title}\n"
            counted = any(way.tokens for way in ways)
            rows = [
                [way.name, _bare(way.share), *([f"{way.tokens:.0f}"] if counted else [])]
                for way in ways
            ]
            yield table(("way", "right", *(["tokens of a prompt"] if counted else [])), rows)
    for kind in ("composition", "relation"):
        found = [findings.way("chains", way.name, kind) for way in findings.ways("chains")]
        told = "; ".join(str(way) for way in found if way is not None)
        if told:
            yield f"\nOnly {kind}: {told}."


def _plots(findings: Findings, folder: Path) -> Iterator[str]:
    rewards = [reward for name in findings.reports if (reward := findings.rewards(name))]
    drawn = (
        ("tempted", "right where the wrong answer is biased", [r.tempted for r in rewards]),
        ("susceptibility", "susceptibility", [r.susceptibility for r in rewards]),
        ("curve", "accuracy of SAV on topics", findings.curve("sav")),
        ("vectors", "capitals answered rightly", [w.share for w in findings.ways("vectors")]),
        ("chains", "scene questions answered rightly", [w.share for w in findings.ways("chains")]),
    )
    some = [(name, label, shares) for name, label, shares in drawn if shares]
    if some:
        yield "\n## Plots\n"
    for name, label, shares in some:
        bars(shares, label, folder / f"{name}.svg")
        yield f"![{label}](results/{name}.svg)\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(summary: Summary, method: str) -> str:
    for row in summary.methods:
        if row.method == method:
            return f"{row.main.value:.2f} [{row.main.low:.2f}, {row.main.high:.2f}]"
    return ""


def _seconds(summary: Summary, method: str) -> str:
    for row in summary.methods:
        if row.method == method:
            return f"{row.fit_seconds:.1f}"
    return ""


def _bare(share: Share) -> str:
    return f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"
