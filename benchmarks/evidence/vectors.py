"""Task vectors beside in-context examples, on the capitals that ship."""

from __future__ import annotations

import numpy as np

import headwise
from benchmarks.evidence.tasks import city_of, country_of
from benchmarks.evidence.ways import Answers, Ways
from headwise.data import load_capitals
from headwise.engines.transformers import TransformersEngine
from headwise.examples import Example
from headwise.methods.task_answers import is_answer
from headwise.prompts.in_context import InContextPrompt

N_SUPPORT = 120
SHOTS = (0, 4, 10)
COMPRESSED = (8, 24, 72)
SAMPLING = headwise.Sampling(max_new_tokens=8, stop=("\n",))
TASK = "country to capital"


def vectors(engine: TransformersEngine, ledger: Ways, seeds: tuple[int, ...], items: int) -> None:
    """Measures what was not measured before.

    Args:
        engine: The model.
        ledger: Where measurements are kept.
        seeds: Seeds of split and fit.
        items: Test items.
    """
    rows = [Example(country_of(fact), city_of(fact.right)) for fact in load_capitals()]
    for seed in seeds:
        random = np.random.default_rng(seed)
        order = random.permutation(len(rows)).tolist()
        support = [rows[place] for place in order[:N_SUPPORT]]
        test = [rows[place] for place in order[N_SUPPORT : N_SUPPORT + items]]
        for shots in SHOTS:
            if not ledger.has("vectors", TASK, seed, f"{shots}-shot"):
                prompt = InContextPrompt()
                prompts = [
                    prompt.with_shots(
                        [support[k] for k in random.choice(N_SUPPORT, shots, replace=False)], one
                    )
                    for one in test
                ]
                texts = engine.generate(prompts, SAMPLING)
                tokens = float(np.mean(engine.count_tokens(prompts)))
                ledger.add(_measured(seed, f"{shots}-shot", texts, test, tokens))
        for count in (*COMPRESSED, N_SUPPORT):
            way = "task vector" if count == N_SUPPORT else f"task vector of {count} examples"
            if not ledger.has("vectors", TASK, seed, way):
                fitted = headwise.TaskVectors(seed=seed).fit(engine, support[:count], progress=True)
                prompts = [InContextPrompt().query(one) for one in test]
                tokens = float(np.mean(engine.count_tokens(prompts)))
                texts = fitted.generate(test, SAMPLING)
                ledger.add(_measured(seed, way, texts, test, tokens))


def _measured(seed: int, way: str, texts: list[str], test: list[Example], tokens: float) -> Answers:
    right = tuple(is_answer(t, one.label or "") for t, one in zip(texts, test, strict=True))
    return Answers("vectors", TASK, seed, way, right, tokens)
