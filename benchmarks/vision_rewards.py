"""Reward models on image preferences: a right answer over a wrong one, plain or padded."""

from __future__ import annotations

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


def rewards(run: VisionRun, seed: int) -> None:
    """Pair accuracy of the reward model and of token probability.

    Args:
        run: What is shared.
        seed: Of the scenes and of the fit.
    """
    support = image_preferences("plain", N_SUPPORT, _FIRST_SEED + 2 * seed)
    model: headwise.RewardModel | None = None
    for style in STYLES:
        test = image_preferences(style, run.items // 2, _FIRST_SEED + 2 * seed + 1)
        prompt = RewardPrompt(CRITERION)
        asked = [prompt.scalar(pair.shown_prompt, pair.chosen) for pair in test]
        row = Measured("rewards", style, seed, "", 0.0, len(test), run.tokens(asked), 0.0)
        way = "token probability"
        if not run.ledger.has("rewards", style, seed, way):
            watch = Stopwatch()
            right = token_probability_accuracy(run.engine, test, criterion=CRITERION)
            run.add(replace(row, way=way, accuracy=right, answer_seconds=watch.seconds))
        way = "activation reward model"
        if not run.ledger.has("rewards", style, seed, way):
            fit_seconds = 0.0
            if model is None:
                watch = Stopwatch()
                method = headwise.ActivationRewardModel(CRITERION, seed=seed)
                model = method.fit(run.engine, support, progress=True)
                fit_seconds = watch.seconds
            watch = Stopwatch()
            right = model.accuracy(test, progress=True)
            run.add(
                replace(
                    row,
                    way=way,
                    accuracy=right,
                    answer_seconds=watch.seconds,
                    fit_seconds=fit_seconds,
                    n_heads=len(model.heads),
                )
            )


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
