"""Speed of headwise against the published procedures and against plain forward passes, in one run.

    python -m benchmarks.speed                      all cases on the embedded model
    python -m benchmarks.speed --cases sav,search   some of them
    python -m benchmarks.speed --whole-search       also whole head searches (minutes more)
    python -m benchmarks.speed --quick              tiny sizes, to see that it works

Writes OUTPUT.json and OUTPUT.md, after every case anew, so that a stop loses nothing measured. On a
machine with a GPU a Llama of 7B shape with random weights is measured as well.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.cases_generation import generation_cases
from benchmarks.cases_reward import reward_cases
from benchmarks.cases_sav import sav_cases
from benchmarks.cases_search import search_cases
from benchmarks.machine import machine_facts
from benchmarks.report import describe, render
from benchmarks.results import Case, CaseResult, ModelResult, SpeedReport
from benchmarks.sizes import QUICK, Sizes
from benchmarks.subjects import Subject, large_subject, small_subject
from benchmarks.timing import Timer
from benchmarks.whole_search import whole_searches
from headwise.artifacts.versions import package_versions

CASES: dict[str, Callable[[Subject, Sizes, int], Iterator[Case]]] = {
    "sav": sav_cases,
    "search": search_cases,
    "reward": reward_cases,
    "generation": generation_cases,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Args:
        groups: Names of `CASES`.
        sizes: How large the cases are.
        repeats: Repeats of every timing.
        seed: Seed of masks, prompts and random weights.
        whole_search: Whether whole head searches run too.
        stated_sizes: Whether the sizes are those the targets are stated for.
    """

    groups: tuple[str, ...]
    sizes: Sizes
    repeats: int
    seed: int
    whole_search: bool
    stated_sizes: bool

    def targets_apply(self, subject: Subject) -> bool:
        """Whether the targets are stated for this model and these sizes."""
        return self.stated_sizes and subject.is_embedded


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, and writes the report."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.gpu_7b and not torch.cuda.is_available():
        parser.error("--gpu-7b needs a GPU, and torch sees none here")
    if given.threads is not None:
        torch.set_num_threads(given.threads)
    sizes = QUICK if given.quick else Sizes()
    plan = Plan(given.cases, sizes, given.repeats, given.seed, given.whole_search, not given.quick)
    words = sys.argv[1:] if arguments is None else arguments
    report = SpeedReport(
        command=" ".join(["python -m benchmarks.speed", *words]),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=given.seed,
        repeats=given.repeats,
        quick=given.quick,
        machine=machine_facts(),
        versions=package_versions(),
    )
    _say(f"{report.machine}")
    started = time.monotonic()
    for subject in _subjects(given):
        finished = report.models
        for model in measure(subject, plan):
            took = time.monotonic() - started
            report = replace(report, models=(*finished, model), took_seconds=took)
            save(report, given.output)
    _say(f"Written: {given.output}.json and {given.output}.md")


def measure(subject: Subject, plan: Plan) -> Iterator[ModelResult]:
    """Measures one model.

    Args:
        subject: The model.
        plan: What to measure.

    Yields:
        The results so far, after every case.
    """
    result = ModelResult(subject.name)
    timer = Timer(subject.model.device, plan.repeats)
    for group in plan.groups:
        for case in CASES[group](subject, plan.sizes, plan.seed):
            _say(f"{subject.name}: {case.title}")
            judged = case if plan.targets_apply(subject) else case.without_targets()
            found = judged.run(timer)
            _say_result(found)
            result = replace(result, cases=(*result.cases, found))
            yield result
    if plan.whole_search:
        for run in whole_searches(subject, plan.sizes, plan.seed):
            _say(f"{run.name}: {run.seconds:.1f} s, held-out loss {run.held_out_loss}")
            result = replace(result, whole_search=(*result.whole_search, run))
            yield result


def save(report: SpeedReport, output: Path) -> None:
    """Writes `OUTPUT.json` and `OUTPUT.md`."""
    report.write(output.with_name(f"{output.name}.json"))
    output.with_name(f"{output.name}.md").write_text(render(report), encoding="utf-8")


def _subjects(given: argparse.Namespace) -> Iterator[Subject]:
    small = small_subject(given.model)
    if given.small:
        yield small
    if given.gpu_7b if given.gpu_7b is not None else torch.cuda.is_available():
        yield large_subject(small.engine.tokenizer, given.seed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", type=_groups, default=tuple(CASES), help=",".join(CASES))
    parser.add_argument("--repeats", type=_positive, default=3)
    parser.add_argument("--model", help="a Llama-like Hub id or folder; the embedded one if absent")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=_positive, help="of torch; its own choice if absent")
    parser.add_argument("--whole-search", action="store_true", help="also whole head searches")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; figures mean nothing")
    parser.add_argument(
        "--gpu-7b",
        action=argparse.BooleanOptionalAction,
        help="also a random 7B Llama; by default where there is a GPU",
    )
    parser.add_argument(
        "--small",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="--no-small measures the 7B model only",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("results/speed"))
    return parser


def _groups(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in CASES]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"expected some of {','.join(CASES)}; got {text!r}")
    return names


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of 1 at least; got {text!r}")
    return int(text)


def _say_result(result: CaseResult) -> None:
    for ratio in result.ratios:
        verdict = {None: "", True: " (met)", False: " (NOT MET)"}[ratio.is_met]
        target = "" if ratio.target is None else f", target {ratio.target:g}{verdict}"
        spread = f"{ratio.low:.3f} to {ratio.high:.3f}"
        _say(f"  {describe(ratio)}: {ratio.median:.3f} ({spread}){target}")
    for check in result.checks:
        _say(f"  {check.name}: {check.value:.2g}{'' if check.holds else ' DOES NOT HOLD'}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
