"""A multimodal task vector on easy-VQA questions of every kind, beside in-context learning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import headwise
from benchmarks.easy_vqa import KINDS, drawn
from benchmarks.task_results import Measured
from benchmarks.vision_run import Stopwatch, VisionRun, share_right
from headwise.examples import Example
from headwise.prompts.conversation import Conversation
from headwise.prompts.in_context import InContextPrompt

N_SUPPORT = 128
SHOTS = (0, 4)
SAMPLING = headwise.Sampling(max_new_tokens=4, stop=("\n",))
PROMPT = InContextPrompt(style="chat")


def vectors(run: VisionRun, seed: int) -> None:
    """Task vector, zero-shot and in-context answers to the same questions.

    Args:
        run: What is shared.
        seed: Of the split and of everything drawn.
    """
    random = np.random.default_rng(seed)
    support = _mixed(run, N_SUPPORT, random, train=True)
    test = _mixed(run, run.items, random, train=False)
    for shots in SHOTS:
        way = f"{shots}-shot"
        if run.ledger.has("vectors", "easy-VQA", seed, way):
            continue
        drawn_shots = [random.choice(len(support), shots, replace=False) for _ in test]
        prompts = [
            PROMPT.with_shots([support[place] for place in places], example)
            for places, example in zip(drawn_shots, test, strict=True)
        ]
        watch = Stopwatch()
        texts = run.engine.generate(prompts, SAMPLING, progress=True)
        run.add(_measured(run, seed, way, texts, test, prompts, watch.seconds))
    if not run.ledger.has("vectors", "easy-VQA", seed, "task vector"):
        watch = Stopwatch()
        vector = headwise.TaskVectors(style="chat", seed=seed).fit(
            run.engine, support, progress=True
        )
        fit_seconds = watch.seconds
        watch = Stopwatch()
        texts = vector.generate(test, SAMPLING, progress=True)
        prompts = [PROMPT.query(example) for example in test]
        run.add(
            _measured(
                run,
                seed,
                "task vector",
                texts,
                test,
                prompts,
                watch.seconds,
                fit_seconds,
                len(vector.heads),
            )
        )


def _mixed(
    run: VisionRun, count: int, random: np.random.Generator, *, train: bool
) -> list[Example]:
    """Questions of every kind in equal numbers, shuffled."""
    asked = run.data.train if train else run.data.test
    found = []
    for kind in KINDS:
        answers = len({one.answer for one in asked if one.kind == kind})
        wanted = count // len(KINDS)
        found += drawn(asked, kind, -(-wanted // answers), random)[:wanted]
    return [found[place].example for place in random.permutation(len(found)).tolist()]


def _measured(
    run: VisionRun,
    seed: int,
    way: str,
    texts: Sequence[str],
    test: Sequence[Example],
    prompts: Sequence[Conversation],
    seconds: float,
    fit_seconds: float = 0.0,
    n_heads: int = 0,
) -> Measured:
    right = share_right(texts, [one.label for one in test])
    return Measured(
        "vectors",
        "easy-VQA",
        seed,
        way,
        right,
        len(test),
        run.tokens(prompts),
        seconds,
        fit_seconds=fit_seconds,
        n_heads=n_heads,
    )
