"""Compositional chain of thought, its ablations and its baselines, on drawn scenes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import headwise
from benchmarks.evidence.ways import Answers as Found
from benchmarks.evidence.ways import Ways
from benchmarks.vision_chains import KINDS, two_objects
from benchmarks.vision_run import each_right
from headwise.baselines.chain_of_thought import ZeroShotChainOfThought
from headwise.baselines.zero_shot import ZeroShot
from headwise.engines.base import Engine
from headwise.examples import Example
from headwise.methods.answers import Answers
from headwise.prompts.compositional import CompositionalPrompt
from headwise.scenes import SceneSampler

_SEED = 9_800_000
_SAMPLER = SceneSampler(most_objects=4)


def chains(engine: Engine, ledger: Ways, seeds: tuple[int, ...], items: int) -> None:
    """Answers questions that need two objects and a relation; one call, thoughts, or a graph.

    Args:
        engine: The model.
        ledger: Where measurements are kept.
        seeds: Seeds of the scenes: everything else is deterministic.
        items: Questions a seed, of all kinds together.
    """
    ways = _ways(engine)
    for seed in seeds:
        for kind in KINDS:
            missing = [way for way in ways if not ledger.has("chains", kind, seed, way)]
            if not missing:
                continue
            asked = two_objects(kind, items // len(KINDS), _SEED + seed, _SAMPLER)
            wanted = [one.label for one in asked]
            for way in missing:
                right = each_right(ways[way](asked).texts, wanted)
                ledger.add(Found("chains", kind, seed, way, right))


def _ways(engine: Engine) -> Mapping[str, Callable[[list[Example]], Answers]]:
    graphs = headwise.CompositionalChainOfThought
    caption, unasked = CompositionalPrompt("caption"), CompositionalPrompt(with_question=False)
    return {
        "direct": ZeroShot(engine).answer,
        "zero-shot chain of thought": ZeroShotChainOfThought(engine, max_thought_tokens=96).answer,
        "compositional chain of thought": graphs(engine).answer,
        "a caption instead of the graph": graphs(engine, prompt=caption).answer,
        "a graph without the question": graphs(engine, prompt=unasked).answer,
    }
