"""Load on `headwise serve`: is any answer lost, wrong or doubled, and what does serving cost?

    python -m benchmarks.serve_load --out results/serve_load.json --markdown results/serve_load.md

Four parts, in one run on one machine: the items scored offline in one call, before and after the
same items from many clients over HTTP; four times the rate that the server bore, at which it must
refuse what it cannot answer and keep its memory; and a server that is killed under load and started
again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import headwise
from benchmarks.machine import machine_facts
from benchmarks.serve_phases import (
    Asked,
    KillFigures,
    LoadFigures,
    OverloadFigures,
    killed,
    overload,
    steady,
)
from benchmarks.serve_server import ServerProcess
from headwise.data.demo import load_capitals, load_facts
from headwise.data.pairs import plain_preferences

OVERLOAD = 4.0
MEMORY_SLACK = 1.10
LEAST_RATIO = 0.9
_CRITERION = "The answer is correct."
_N_SUPPORT = 40


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run found.

    Args:
        machine: Where it ran.
        model: The model.
        offline_seconds: For all items in one call: the mean of a run before and one after the load.
        load: Many clients.
        overload: Four times the rate.
        kill: Killed and started again; None where it was left out.
    """

    machine: dict[str, str]
    model: str
    offline_seconds: float
    load: LoadFigures
    overload: OverloadFigures
    kill: KillFigures | None

    @property
    def ratio(self) -> float:
        """Served throughput by offline throughput."""
        return self.offline_seconds / self.load.seconds

    @property
    def memory_ratio(self) -> float:
        """Most memory under overload, by that of the steady state."""
        return self.overload.resident_bytes / self.load.resident_bytes

    def failures(self) -> list[str]:
        """What falls short."""
        answered = sum(self.overload.statuses.get(name, 0) for name in ("200", "429", "504"))
        checks = {
            "requests were lost": self.load.lost > 0,
            "rewards were wrong": self.load.wrong > 0 or self.overload.wrong > 0,
            "items ran twice or not at all": self.load.scored != self.load.items,
            f"served throughput is below {LEAST_RATIO} of offline": self.ratio < LEAST_RATIO,
            "overloaded, the server went down": not self.overload.is_up,
            "overloaded, requests had no proper answer": answered != self.overload.requests,
            "overloaded, nothing was refused": self.overload.statuses.get("429", 0) == 0,
            "overloaded, memory grew by more than a tenth": self.memory_ratio > MEMORY_SLACK,
            "killed, answers were lost or changed": self.kill is not None
            and (self.kill.answered != self.kill.requests or self.kill.wrong > 0),
        }
        return [what for what, is_so in checks.items() if is_so]


def items_to_score(n: int) -> tuple[list[str], list[str]]:
    """`n` prompts and responses of different length, no two alike."""
    pairs = plain_preferences([*load_capitals(), *load_facts()])[_N_SUPPORT:]
    chance = np.random.default_rng(0)
    prompts, responses = [], []
    for number in range(n):
        pair = pairs[number % len(pairs)]
        answer = pair.chosen if number % 2 else pair.rejected
        more = " That is what I know of it." * int(chance.integers(0, 12))
        prompts.append(str(pair.prompt))
        responses.append(f"{answer}{more} (Note {number}.)")
    return prompts, responses


def run(options: argparse.Namespace, folder: Path) -> Figures:
    """Runs all parts."""
    engine = headwise.load(options.model)
    pairs = plain_preferences([*load_capitals(), *load_facts()])[:_N_SUPPORT]
    judge = headwise.ActivationRewardModel(_CRITERION, readout=options.readout)
    reward = judge.fit(engine, pairs, progress=True)
    reward.save_pretrained(folder / "judge")
    n = options.requests * options.items
    prompts, responses = items_to_score(n)
    reward.score(prompts[:64], responses[:64])
    times = []

    def score_offline() -> NDArray[np.float64]:
        started = time.perf_counter()
        rewards = reward.score(prompts, responses)
        times.append(time.perf_counter() - started)
        _say(f"offline: {n} items in {times[-1]:.1f} s")
        return rewards

    asked = Asked(tuple(prompts), tuple(responses), score_offline())
    requests = [range(start, start + options.items) for start in range(0, n, options.items)]
    load, over, kill = asyncio.run(_serve(options, folder, asked, requests, score_offline))
    # A machine's speed changes within minutes: served stands between two offline runs.
    offline = sum(times) / len(times)
    return Figures(machine_facts(), engine.fingerprint.model_id, offline, load, over, kill)


async def _serve(
    options: argparse.Namespace,
    folder: Path,
    asked: Asked,
    requests: Sequence[Sequence[int]],
    score_offline: Callable[[], object],
) -> tuple[LoadFigures, OverloadFigures, KillFigures | None]:
    arguments = [str(folder / "judge"), "--queue-items", str(options.queue_items)]
    arguments += ["--max-items", str(options.items), "--deadline", "600"]
    if options.model is not None:
        arguments += ["--model", options.model]
    with ServerProcess(arguments, folder / "server.log") as server:
        # The first call of a shape is slower; the offline run had one too.
        warm = Asked(asked.prompts[:64], asked.responses[:64], asked.rewards[:64])
        await steady(server, warm, [[row] for row in range(len(warm))], options.clients)
        load = await steady(server, asked, requests, options.clients)
        _say(f"served: {load.items} items in {load.seconds:.1f} s")
        score_offline()
        rate = OVERLOAD * load.items_per_second
        over = await overload(server, asked, requests, rate)
        _say(f"overloaded at {rate:.1f} items/s: {over.statuses}")
        kill = None
        if not options.no_kill:
            some = requests[: options.kill_requests]
            kill = await killed(server, asked, some, options.clients)
            _say(f"killed: {kill.answered} of {kill.requests} answered")
    return load, over, kill


def markdown(figures: Figures) -> str:
    """The figures as a block for the documentation."""
    load, over = figures.load, figures.overload
    rows = [
        ("requests, clients", f"{load.requests:,} from {load.clients}"),
        ("lost, wrong, doubled", f"{load.lost}, {load.wrong}, {load.scored - load.items}"),
        ("largest difference from offline", f"{load.largest_difference:.1e}"),
        ("offline, in one call", f"{load.items / figures.offline_seconds:.1f} items/s"),
        ("served", f"{load.items_per_second:.1f} items/s: {figures.ratio:.2f} of offline"),
        ("latency, median and p99", f"{load.median_latency:.2f} s, {load.p99_latency:.2f} s"),
        (
            f"at {OVERLOAD:g} times that rate",
            ", ".join(f"{count:,} × {status}" for status, count in over.statuses.items()),
        ),
        ("memory then, by that before", f"{figures.memory_ratio:.2f}"),
    ]
    if figures.kill is not None:
        kill = figures.kill
        rows.append(
            (
                "killed (SIGKILL) and started again",
                f"{kill.answered:,} of {kill.requests:,} answered, {kill.wrong} wrong",
            )
        )
    machine = ", ".join(f"{name} {value}" for name, value in figures.machine.items())
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"| {figures.model} | |\n| --- | --- |\n{table}\n\nMachine: {machine}.\n"


def main() -> int:
    """Runs the benchmark; the exit code is 1 where something falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="Hub id or folder; the embedded model where left out.")
    parser.add_argument("--readout", default="sparse", choices=("sparse", "steered", "auto"))
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--items", type=int, default=1, help="Items of a request.")
    parser.add_argument("--queue-items", type=int, default=256)
    parser.add_argument("--kill-requests", type=int, default=200)
    parser.add_argument("--no-kill", action="store_true")
    parser.add_argument("--out", type=Path, help="File for the figures, as JSON.")
    parser.add_argument("--markdown", type=Path, help="File for the block of the documentation.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(options, Path(folder))
    failures = figures.failures()
    told = {**asdict(figures), "ratio": figures.ratio, "memory_ratio": figures.memory_ratio}
    text = json.dumps({**told, "failures": failures}, indent=2)
    if options.out is not None:
        options.out.write_text(text + "\n", "utf-8")
    if options.markdown is not None:
        options.markdown.write_text(markdown(figures), "utf-8")
    print(markdown(figures))
    for failure in failures:
        _say(f"FALLS SHORT: {failure}")
    return 1 if failures else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
