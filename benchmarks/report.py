"""Renders the results of the speed benchmark as Markdown.

python -m benchmarks.report results/speed.json -o docs/speed.md     the page of the docs
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import CaseResult, ModelResult, Ratio, SearchRun, SpeedReport
from benchmarks.timing import Timing
from benchmarks.whole_search import NAIVE, PUBLISHED

_WHOLE_SEARCH_TARGET = 200.0
_QUICK = (
    "> **A quick run**: sizes were cut down to see that the command works. Its figures mean "
    "nothing.\n"
)
_PAGE = """\
# Speed

What headwise costs, against two measures:

- **naive**: the published procedures, written by us from the papers (`benchmarks/naive.py`): one
  example at a time, logits of the whole vocabulary at every position, a hook that edits heads at
  the last token, one whole forward pass a mask, three passes over the support set, Python loops
  over heads.
- **the floor**: plain forward passes of the same tokens, with nothing read and nothing steered.

A ratio is of one run of one command. Contenders take turns within each repeat, after a
warm-up, with the garbage collector off; a ratio is taken within a repeat, and its median and spread
over repeats are what counts. Absolute seconds are this machine's.

```
python -m benchmarks.speed                  # all cases, some ten minutes on two idle cores
python -m benchmarks.speed --cases search   # sav, search, reward, generation
python -m benchmarks.speed --whole-search   # also whole head searches: minutes more
python -m benchmarks.report results/speed.json -o docs/speed.md
```

On a machine with a GPU the same command adds a Llama of 7B shape with random weights in bfloat16
(`--no-gpu-7b` leaves it out).

"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Renders JSON reports as a page of the docs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("reports", type=Path, nargs="+", help="what benchmarks.speed wrote")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(render_page(*map(SpeedReport.read, given.reports)), encoding="utf-8")


def render_page(*reports: SpeedReport) -> str:
    """The page of the docs: how it was measured, and what each run found."""
    return _PAGE + "\n".join(line for report in reports for line in _body(report))


def render(report: SpeedReport) -> str:
    """The report that lies beside the JSON.

    Args:
        report: The results.

    Returns:
        Markdown.
    """
    return "# Speed\n\n" + "\n".join(_body(report))


def _body(report: SpeedReport) -> list[str]:
    lines = [_QUICK] if report.quick else []
    lines += _facts(report)
    for model in report.models:
        lines += [f"## {model.model}", "", *_summary(model)]
        for case in model.cases:
            lines += _case(case)
        if model.whole_search:
            lines += _searches(model.whole_search)
    return lines


def _facts(report: SpeedReport) -> list[str]:
    rows = [
        ("command", f"`{report.command}`"),
        ("started", report.started),
        ("seed", str(report.seed)),
        ("took", f"{report.took_seconds / 60:.1f} minutes"),
        ("repeats", str(report.repeats)),
        *report.machine.items(),
        ("versions", ", ".join(f"{name} {number}" for name, number in report.versions.items())),
    ]
    return [*markdown_table(("run", ""), rows), ""]


def _summary(model: ModelResult) -> list[str]:
    rows = [
        (case.title, describe(ratio), _number(ratio.median), _spread(ratio), *_verdict(ratio))
        for case in model.cases
        for ratio in case.ratios
        if ratio.target is not None
    ]
    if not rows:
        return []
    header = ("case", "ratio", "median", "spread", "target", "met")
    return [*markdown_table(header, rows), ""]


def _case(case: CaseResult) -> list[str]:
    timings = [
        (t.name, _seconds(t), _seconds_spread(t), _mebibytes(t.peak_bytes), t.note)
        for t in case.timings
    ]
    ratios = [(describe(r), _number(r.median), _spread(r), *_verdict(r)) for r in case.ratios]
    checks = [
        f"- {check.name}: {check.value:.2g} (at most {check.limit:g}) "
        f"{'holds' if check.holds else '**does not hold**'}"
        for check in case.checks
    ]
    return [
        f"### {case.title}",
        "",
        case.setting,
        "",
        *markdown_table(("contender", "time", "spread", "peak memory", "note"), timings),
        "",
        *markdown_table(("ratio", "median", "spread", "target", "met"), ratios),
        "",
        *([*checks, ""] if checks else []),
    ]


def describe(ratio: Ratio) -> str:
    """A ratio in words."""
    if ratio.kind == "speedup":
        return f"{ratio.of}: times faster than {ratio.against}"
    return f"{ratio.of}: times the time of {ratio.against}"


def _searches(runs: Sequence[SearchRun]) -> list[str]:
    published = next(run for run in runs if run.name == PUBLISHED)
    naive = next((run for run in runs if run.name == NAIVE), None)
    rows = [
        (
            run.name,
            f"{run.seconds:,.1f} s" + ("" if run.measured else " (worked out)"),
            _loss(run.held_out_loss),
            _loss(run.test_loss),
            str(run.n_heads),
            "-" if naive is None else f"{naive.seconds / run.seconds:,.0f}x",
            run.note,
        )
        for run in runs
    ]
    header = ("search", "time", "held-out loss", "test loss", "heads", "against naive", "note")
    return [
        "### A whole head search",
        "",
        "Capitals behind other text, prompts of one length. Every search starts with no prefix "
        "kept. The held-out prompts choose the final mask; the test prompts choose nothing.",
        "",
        *markdown_table(header, rows),
        "",
        _verdict_on_searches(runs, published, naive),
        "",
    ]


def _verdict_on_searches(
    runs: Sequence[SearchRun], published: SearchRun, naive: SearchRun | None
) -> str:
    target = published.held_out_loss
    reached = [
        run
        for run in runs
        if run.name not in (PUBLISHED, NAIVE)
        and run.held_out_loss is not None
        and target is not None
        and run.held_out_loss <= target
    ]
    if not reached or naive is None:
        return "No faster search reached the published search's held-out loss."
    best = min(reached, key=lambda run: run.seconds)
    return (
        f"The fastest to the published held-out loss: {best.name}, "
        f"{naive.seconds / best.seconds:,.0f} times faster than the naive published search "
        f"(target {_WHOLE_SEARCH_TARGET:g})."
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in lines]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _verdict(ratio: Ratio) -> tuple[str, str]:
    if ratio.target is None:
        return "", ""
    bound = "at least" if ratio.kind == "speedup" else "at most"
    return f"{bound} {ratio.target:g}", "yes" if ratio.is_met else "**no**"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def _spread(ratio: Ratio) -> str:
    return f"{_number(ratio.low)} to {_number(ratio.high)}"


def _seconds(timing: Timing) -> str:
    ordered = sorted(timing.seconds)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return _duration(median)


def _seconds_spread(timing: Timing) -> str:
    return f"{_duration(min(timing.seconds))} to {_duration(max(timing.seconds))}"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _mebibytes(n_bytes: int) -> str:
    return f"{n_bytes / 1024**2:,.0f} MiB"


def _loss(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
