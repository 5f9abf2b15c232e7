"""Reward models on image preferences: a right answer over a wrong one, plain or padded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

import headwise
from benchmarks.task_results import Measured
from benchmarks.vision_run import Stopwatch, VisionRun
from headwise.content import as_image
from headwise.demonstration import token_probability_accuracy
from headwise.examples import Preference
from headwise.prompts.reward import RewardPrompt
from headwise.scenes import PairStyle, SceneSampler, render, scene_preferences

CRITERION = "The answer is right for the image."
N_SUPPORT = 40
STYLES: tuple[PairStyle, ...] = ("plain", "lengthy")
# Scenes that the model was not trained on: training seeds lie far below.
_FIRST_SEED = 9_000_000


SUPPORTS: dict[str, tuple[PairStyle, ...]] = {
    "activation reward model": ("plain",),
    "activation reward model, half its pairs lengthy": ("plain", "lengthy"),
}
"""What each reward model is fitted on, in equal parts."""


def rewards(run: VisionRun, seed: int) -> None:
    """Pair accuracy of reward models and of token probability.

    Args:
        run: What is shared.
        seed: Of the scenes and of the fit.
    """
    tests = {
        style: image_preferences(style, run.items // 2, _FIRST_SEED + 2 * seed + 1)
        for style in STYLES
    }
    for style, test in tests.items():
        if not run.ledger.has("rewards", style, seed, "token probability"):
            watch = Stopwatch()
            right = token_probability_accuracy(run.engine, test, criterion=CRITERION)
            run.add(_measured(run, style, seed, "token probability", test, right, watch.seconds))
    for way, styles in SUPPORTS.items():
        missing = [style for style in STYLES if not run.ledger.has("rewards", style, seed, way)]
        if not missing:
            continue
        # Other scenes for each style, and none of the tests': their seeds are odd.
        support = [
            pair
            for number, style in enumerate(styles)
            for pair in image_preferences(
                style, N_SUPPORT // len(styles), _FIRST_SEED + 1_000 * number + 2 * seed
            )
        ]
        watch = Stopwatch()
        method = headwise.ActivationRewardModel(CRITERION, seed=seed)
        model = method.fit(run.engine, support, progress=True)
        fit_seconds = watch.seconds
        for style in missing:
            watch = Stopwatch()
            right = model.accuracy(tests[style], progress=True)
            row = _measured(run, style, seed, way, tests[style], right, watch.seconds)
            run.add(replace(row, fit_seconds=fit_seconds, n_heads=len(model.heads)))


def _measured(
    run: VisionRun,
    style: PairStyle,
    seed: int,
    way: str,
    test: Sequence[Preference],
    accuracy: float,
    seconds: float,
) -> Measured:
    prompt = RewardPrompt(CRITERION)
    asked = [prompt.scalar(pair.shown_prompt, pair.chosen) for pair in test]
    tokens = run.tokens(asked)
    return Measured("rewards", style, seed, way, accuracy, len(test), tokens, seconds)


def image_preferences(style: PairStyle, count: int, seed: int) -> list[Preference]:
    """Pairs about drawn scenes, one a scene.

    Args:
        style: How the wrong answer is told.
        count: How many.
        seed: Seed of scenes and questions.

    Returns:
        The pairs, with their picture.
    """
    random = np.random.default_rng(seed)
    sampler = SceneSampler()
    pairs: list[Preference] = []
    while len(pairs) < count:
        scene = sampler.draw(random)
        found = scene_preferences(scene, random, style)
        if found:
            pair = found[int(random.integers(len(found)))]
            pairs.append(replace(pair, images=(as_image(render(scene)),)))
    return pairs
