"""Thousands of requests made up from the server's own description: none may fail it or hang.

    pip install schemathesis
    python -m benchmarks.serve_fuzz --cases 10000

schemathesis reads `/openapi.json` and makes up requests that fit it and requests that do not. The
server runs in a process of its own on a tiny random model, with one artifact of each kind.
schemathesis is no part of the development tools: it brings many packages.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import headwise
from benchmarks.serve_server import ServerProcess
from headwise.prompts.reward import Form

LONGEST_SECONDS = 30.0


def fit_artifacts(model: str, form: Form, folder: Path) -> list[str]:
    """One artifact of each kind, so that a request need not name it; small and quickly made."""
    engine = headwise.load(model)
    pairs = [
        headwise.Preference(f"question {n}?", f"the good answer {n}", f"a bad answer {n}")
        for n in range(6)
    ]
    judge = headwise.ActivationRewardModel("It is good.", form=form, readout="sparse")
    judge.fit(engine, pairs).save_pretrained(folder / "judge")
    texts = {"cats": ("the cat sat", "a cat purrs"), "dogs": ("the dog ran", "a dog barks")}
    examples = [headwise.Example(t, label) for label, found in texts.items() for t in found]
    headwise.SparseAttentionVectors(n_heads=4).fit(engine, examples).save_pretrained(
        folder / "animals"
    )
    shots = [headwise.Example(f"in {n}", label=f"out {n}") for n in range(6)]
    method = headwise.TaskVectors(selector=headwise.Reinforce(epochs=2))
    method.fit(engine, shots).save_pretrained(folder / "task")
    return [str(folder / name) for name in ("judge", "animals", "task")]


def fuzz(url: str, cases: int) -> tuple[Counter[str], list[str], float]:
    """Sends made-up requests.

    Args:
        url: The server.
        cases: How many requests, at least.

    Returns:
        How often each status came, the failures, and the longest answer in seconds.
    """
    import requests
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis import GenerationMode

    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    posts = [operation for operation in operations if operation.method.upper() == "POST"]
    statuses: Counter[str] = Counter()
    failures: list[str] = []
    longest = 0.0
    each = -(-cases // (2 * len(posts)))
    session = requests.Session()

    def failed(what: str) -> None:
        failures.append(what)
        print(f"FAILED {what}", file=sys.stderr, flush=True)

    def send(case: Any) -> None:
        nonlocal longest
        started = time.perf_counter()
        try:
            status = case.call(session=session, timeout=LONGEST_SECONDS).status_code
        except requests.RequestException as error:
            status = 599
            failed(f"{case.operation.path}: {type(error).__name__}")
        longest = max(longest, time.perf_counter() - started)
        statuses[f"{case.operation.path} {status}"] += 1
        if 500 <= status < 599:
            failed(f"{case.operation.path} {status}: {case.as_curl_command()[:500]}")

    for operation in operations:
        is_post = operation in posts
        # What has no body cannot be wrong in many ways.
        modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE) if is_post else ()
        for mode in modes or (GenerationMode.POSITIVE,):
            chosen: Any = settings(
                max_examples=each if is_post else 10,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            drawn: Any = given(operation.as_strategy(generation_mode=mode))
            chosen(drawn(send))()
        n_sent = sum(statuses.values())
        print(f"{operation.label}: {n_sent:,} so far", file=sys.stderr, flush=True)
    return statuses, failures, longest


def main() -> int:
    """Runs; the exit code is 1 where a request failed the server or hung."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--model", required=True, help="Folder of a small model.")
    parser.add_argument("--form", default="scalar", choices=("scalar", "ranked"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arguments = [
            *fit_artifacts(options.model, options.form, Path(folder)),
            "--max-new-tokens",
            "64",
        ]
        log = Path(folder) / "server.log"
        with ServerProcess([*arguments, "--model", options.model], log) as server:
            statuses, failures, longest = fuzz(server.url, options.cases)
            if not server.is_up:
                failures.append("the server went down")
    for name, count in sorted(statuses.items()):
        print(f"{count:7,}  {name}")
    print(f"{sum(statuses.values()):,} requests, the longest {longest:.2f} s")
    print(f"{len(failures):,} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
