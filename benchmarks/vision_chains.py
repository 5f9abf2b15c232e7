"""Compositional chain of thought on questions that need two objects and a relation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.task_results import Measured
from benchmarks.vision_run import Stopwatch, VisionRun, share_right
from headwise.baselines.chain_of_thought import ZeroShotChainOfThought
from headwise.baselines.zero_shot import ZeroShot
from headwise.content import as_image
from headwise.examples import Example
from headwise.methods.answers import Answers
from headwise.methods.compositional import CompositionalChainOfThought
from headwise.scenes import QuestionKind, SceneSampler, questions, render

KINDS: tuple[QuestionKind, ...] = ("composition", "relation")
# Scenes that the model was not trained on: training seeds lie far below.
_FIRST_SEED = 9_500_000


def chains(run: VisionRun, seed: int) -> None:
    """Direct answers, zero-shot chain of thought, and a scene graph first; by kind of question.

    Args:
        run: What is shared.
        seed: Of the scenes and questions.
    """
    ways: dict[str, Callable[[list[Example]], Answers]] = {
        "direct": ZeroShot(run.engine).answer,
        "zero-shot chain of thought": ZeroShotChainOfThought(run.engine).answer,
        "compositional chain of thought": CompositionalChainOfThought(run.engine).answer,
    }
    asked = {kind: two_objects(kind, run.items // len(KINDS), _FIRST_SEED + seed) for kind in KINDS}
    for way, answer in ways.items():
        for kind, examples in asked.items():
            if run.ledger.has("chains", kind, seed, way):
                continue
            watch = Stopwatch()
            answers = answer(examples)
            right = share_right(answers.texts, [one.label for one in examples])
            run.add(Measured("chains", kind, seed, way, right, len(examples), 0.0, watch.seconds))


def two_objects(
    kind: QuestionKind, count: int, seed: int, sampler: SceneSampler | None = None
) -> list[Example]:
    """Questions that need two objects and a relation, one a scene.

    Args:
        kind: Which kind of question.
        count: How many.
        seed: Of scenes and questions.
        sampler: Draws the scenes; as it does by default where None.

    Returns:
        The questions with their picture; the label is the right answer.
    """
    random = np.random.default_rng(seed)
    drawing = sampler or SceneSampler()
    found: list[Example] = []
    while len(found) < count:
        scene = drawing.draw(random)
        fitting = [
            one
            for one in questions(scene, random, (kind,))
            if one.needs.objects >= 2 and one.needs.relations >= 1
        ]
        if fitting:
            one = fitting[int(random.integers(len(fitting)))]
            found.append(Example(one.text, one.answer, images=(as_image(render(scene)),)))
    return found
