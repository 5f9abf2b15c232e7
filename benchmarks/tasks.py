"""Task vectors beside in-context learning on word-to-word tasks, over several seeds.

    python -m benchmarks.tasks DATA_DIR                       everything, on the embedded model
    python -m benchmarks.tasks DATA_DIR --parts curve         some of it
    python -m benchmarks.task_report results/tasks.jsonl -o docs/task_vectors.md

DATA_DIR holds a JSON file a task, `TASK.json`, a list of {"input": ..., "output": ...}. Every
measurement is a line of OUTPUT as soon as it is made; the same command again goes on behind them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import headwise
from benchmarks.task_results import Ledger, Measured
from headwise.engines.transformers.tokens import PromptEncoder
from headwise.examples import Example
from headwise.heads import Positions
from headwise.methods.task_answers import is_answer
from headwise.prompts.conversation import Conversation
from headwise.prompts.in_context import InContextPrompt
from headwise.selection.attribution import Attribution
from headwise.selection.descent import MaskDescent
from headwise.selection.search import HeadSearch
from headwise.selection.warm_start import AttributionThenReinforce

TASKS = ("country-capital", "antonym", "singular-plural", "english-spanish")
N_TEST = 100
N_SUPPORT = 256
SHOTS = (0, 4, 10)
COMPRESSED = (16, 64, 256, 1024)
# The longest target of these tasks is shorter; a line break ends an answer.
SAMPLING = headwise.Sampling(max_new_tokens=16, stop=("\n",))
PROMPT = InContextPrompt()


@dataclass(frozen=True, slots=True)
class Split:
    """A task's rows, split by chance.

    Args:
        task: The task's name.
        seed: Seed of the split.
        support: Rows to learn from.
        test: `N_TEST` others.
    """

    task: str
    seed: int
    support: tuple[Example, ...]
    test: tuple[Example, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What all measurements share.

    Args:
        engine: The model.
        ledger: Where they are written down.
        selectors: The ways of choosing heads that are measured; all where empty.
    """

    engine: headwise.TransformersEngine
    ledger: Ledger
    selectors: tuple[str, ...] = ()

    def answers(self, split: Split, part: str, way: str, prompts: Sequence[Conversation]) -> None:
        """Measures plain prompts."""
        started = time.perf_counter()
        texts = self.engine.generate(prompts, SAMPLING)
        self._add(_measured(split, part, way, texts, started, self.tokens(prompts)))

    def steered(self, split: Split, part: str, way: str, vector: headwise.TaskVector) -> None:
        """Measures a task vector."""
        started = time.perf_counter()
        texts = vector.generate(split.test, SAMPLING)
        prompts = [PROMPT.query(example) for example in split.test]
        row = _measured(split, part, way, texts, started, self.tokens(prompts))
        known = vector.statistics
        self._add(
            replace(
                row,
                n_heads=len(vector.heads),
                fit_seconds=float(str(known["fit_seconds"])),
                search_seconds=float(str(known["search_seconds"])),
                held_out_loss=float(str(known["held_out_loss"])),
            )
        )

    def tokens(self, prompts: Sequence[Conversation]) -> float:
        """Mean tokens of some prompts."""
        encoder = PromptEncoder(self.engine.tokenizer)
        return float(np.mean([len(encoder.encode(prompt)) for prompt in prompts]))

    def _add(self, row: Measured) -> None:
        self.ledger.add(row)
        print(row, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures what was not measured before."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tasks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--tasks", default=",".join(TASKS), help="comma list of file names")
    parser.add_argument("--parts", default=",".join(PARTS), help="comma list")
    parser.add_argument("--selectors", default="", help="semicolon list; all where left out")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("results/tasks.jsonl"))
    given = parser.parse_args(arguments)
    chosen = tuple(filter(None, given.selectors.split(";")))
    run = Run(headwise.load(), Ledger(given.output), chosen)
    for part in given.parts.split(","):
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            for task in given.tasks.split(","):
                PARTS[part](run, split_of(given.data / f"{task}.json", seed))


def split_of(path: Path, seed: int) -> Split:
    """Reads a task and splits its rows.

    Args:
        path: A JSON file of {"input": ..., "output": ...}.
        seed: Seed of the split.

    Returns:
        Test rows, and all others to learn from.
    """
    rows = json.loads(path.read_text(encoding="utf-8"))
    examples = [Example(str(row["input"]).strip(), str(row["output"]).strip()) for row in rows]
    order = np.random.default_rng(seed).permutation(len(examples)).tolist()
    shuffled = tuple(examples[place] for place in order)
    return Split(path.stem, seed, shuffled[N_TEST:], shuffled[:N_TEST])


def in_context(run: Run, split: Split) -> None:
    """No vector: the examples are in the prompt."""
    random = np.random.default_rng(split.seed)
    support = split.support[:N_SUPPORT]
    for shots in SHOTS:
        drawn = [random.choice(len(support), shots, replace=False) for _ in split.test]
        way = f"{shots}-shot"
        if run.ledger.has("in-context", split.task, split.seed, way):
            continue
        prompts = [
            PROMPT.with_shots([support[place] for place in places], example)
            for places, example in zip(drawn, split.test, strict=True)
        ]
        run.answers(split, "in-context", way, prompts)


def selectors(run: Run, split: Split) -> None:
    """One task vector a way of choosing its heads."""
    for way, selector in _selectors(split.seed):
        if run.selectors and way not in run.selectors:
            continue
        if not run.ledger.has("selectors", split.task, split.seed, way):
            method = headwise.TaskVectors(selector=selector, seed=split.seed)
            vector = method.fit(run.engine, split.support[:N_SUPPORT])
            run.steered(split, "selectors", way, vector)


def _selectors(seed: int) -> Iterator[tuple[str, HeadSearch]]:
    reinforce = headwise.Reinforce
    yield "reinforce, published", reinforce.paper(seed=seed)
    yield "reinforce, 100 epochs", reinforce(seed=seed)
    yield "reinforce, variance reduced", reinforce.variance_reduced(seed=seed)
    yield "attribution", Attribution()
    yield (
        "attribution, then reinforce",
        AttributionThenReinforce(
            reinforce(epochs=60, baseline="leave_one_out", antithetic=True, seed=seed)
        ),
    )
    yield "mask descent", MaskDescent(seed=seed)
    yield "mask descent, 10 epochs", MaskDescent(epochs=10, seed=seed)


def positions(run: Run, split: Split) -> None:
    """Where to steer, and which tokens of a target to search by; two fits, each used both ways."""
    both: tuple[Positions, ...] = ("prompt", "generated")
    for tokens in (1, None):
        ways = {
            where: f"search by {'all tokens' if tokens is None else 'the first token'}, "
            f"steer {where}"
            for where in both
        }
        if all(run.ledger.has("positions", split.task, split.seed, way) for way in ways.values()):
            continue
        method = headwise.TaskVectors(target_tokens=tokens, seed=split.seed)
        vector = method.fit(run.engine, split.support[:N_SUPPORT])
        for where, way in ways.items():
            steering = replace(vector.steering, positions=where)
            if not run.ledger.has("positions", split.task, split.seed, way):
                run.steered(split, "positions", way, replace(vector, steering=steering))


def curve(run: Run, split: Split) -> None:
    """Vectors of more and more compressed shots, from as many examples as there are."""
    for compressed in COMPRESSED:
        way = f"{compressed} compressed shots"
        if run.ledger.has("curve", split.task, split.seed, way):
            continue
        method = headwise.TaskVectors(seed=split.seed)
        n_prompts = compressed // method.shots_per_prompt
        vector = replace(method, n_prompts=n_prompts).fit(run.engine, split.support[:compressed])
        run.steered(split, "curve", way, vector)


def _measured(
    split: Split, part: str, way: str, texts: Sequence[str], started: float, tokens: float
) -> Measured:
    seconds = time.perf_counter() - started
    right = [
        is_answer(text, str(example.label)) for text, example in zip(texts, split.test, strict=True)
    ]
    return Measured(
        part, split.task, split.seed, way, float(np.mean(right)), len(right), tokens, seconds
    )


PARTS = {"in-context": in_context, "selectors": selectors, "positions": positions, "curve": curve}


if __name__ == "__main__":
    main()
