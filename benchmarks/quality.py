"""Few-shot accuracy on the embedded model, beside its baselines, over several seeds.

    python -m benchmarks.quality topics AG_NEWS.json       classifiers, 20 examples a class
    python -m benchmarks.quality facts COUNTRY_CAPITAL.json  reward models, 40 support pairs

The files are lists of {"input": ..., "output": ...}. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import headwise
from headwise.demonstration import CRITERION, token_probability_accuracy
from headwise.examples import Example, Preference
from headwise.methods.sparse_attention_classifier import prepare
from headwise.methods.truncation import TextCutter
from headwise.prompts.classification import ClassificationPrompt

INSTRUCTION = "Article: {text}\nWhat is the topic?"
CLASSIFIERS = {
    "paper": headwise.SparseAttentionVectors.paper(instruction=INSTRUCTION),
    "default": headwise.SparseAttentionVectors(instruction=INSTRUCTION),
    "auto heads": headwise.SparseAttentionVectors(instruction=INSTRUCTION, n_heads="auto"),
    "plain cosine": headwise.SparseAttentionVectors(
        instruction=INSTRUCTION, whitened=False, head_scoring="leave_one_out"
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=["topics", "facts"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--readouts", default="auto", help="comma list of reward readouts")
    given = parser.parse_args(arguments)
    rows = json.loads(given.file.read_text(encoding="utf-8"))
    engine = headwise.load()
    if given.task == "topics":
        result = topics(engine, rows, given.seeds)
    else:
        result = facts(engine, rows, given.seeds, given.readouts.split(","))
    print(json.dumps(result, indent=1))


def topics(
    engine: headwise.TransformersEngine, rows: list[dict[str, str]], n_seeds: int
) -> dict[str, object]:
    """Accuracy of the classifier's settings on 200 test items, 20 support examples a class."""
    examples = [Example(row["input"], row["output"]) for row in rows]
    classes = tuple(sorted({str(example.label) for example in examples}))
    prompt = ClassificationPrompt(INSTRUCTION)
    found: dict[str, list[float]] = {name: [] for name in CLASSIFIERS}
    zero_shot: list[float] = []
    for seed in range(n_seeds):
        order = np.random.default_rng(seed).permutation(len(examples))
        support = [
            int(i) for c in classes for i in [j for j in order if examples[j].label == c][:20]
        ]
        taken = set(support)
        test = [int(i) for i in order if int(i) not in taken][:200]
        conversations = prepare(
            [examples[i] for i in support + test], prompt, TextCutter(engine, 2_048)
        )
        activations = engine.capture(conversations, progress=True)
        labels = torch.tensor([classes.index(str(examples[i].label)) for i in support])
        truth = np.array([classes.index(str(examples[i].label)) for i in test])
        queries = activations.rows(range(len(support), len(conversations)))
        for name, settings in CLASSIFIERS.items():
            fitted = settings.fit_activations(
                engine, activations.rows(range(len(support))), labels, classes
            )
            predicted = fitted.decide(queries).numpy().argmax(axis=1)
            found[name].append(float((predicted == truth).mean()))
        logprobs = engine.token_logprobs(conversations[len(support) :], classes)
        zero_shot.append(float((logprobs.numpy().argmax(axis=1) == truth).mean()))
        print(f"seed {seed}: { ({n: v[-1] for n, v in found.items()}) }", file=sys.stderr)
    found["zero-shot label likelihood"] = zero_shot
    return _summary(found)


def facts(
    engine: headwise.TransformersEngine,
    rows: list[dict[str, str]],
    n_seeds: int,
    readouts: Sequence[str],
) -> dict[str, object]:
    """Pair accuracy on 100 test pairs of right and wrong capitals, 40 support pairs."""
    found: dict[str, list[float]] = {name: [] for name in ("token probability", *readouts)}
    pairs = _capital_pairs(rows)
    for seed in range(n_seeds):
        order = np.random.default_rng(seed).permutation(len(pairs))
        support = [pairs[i] for i in order[:40]]
        test = [pairs[i] for i in order[40:140]]
        for readout in readouts:
            method = headwise.ActivationRewardModel(CRITERION, readout=readout)  # type: ignore[arg-type]
            model = method.fit(engine, support, progress=True)
            found[readout].append(model.accuracy(test))
            print(f"seed {seed}: {readout} {dict(model.statistics)}", file=sys.stderr)
        found["token probability"].append(token_probability_accuracy(engine, test))
        print(f"seed {seed}: { ({n: v[-1] for n, v in found.items()}) }", file=sys.stderr)
    return _summary(found)


def _capital_pairs(rows: list[dict[str, str]]) -> list[Preference]:
    random = np.random.default_rng(0)
    capitals = [row["output"].strip() for row in rows]
    pairs = []
    for row, capital in zip(rows, capitals, strict=True):
        wrong = str(random.choice([name for name in capitals if name != capital]))
        country = row["input"].strip()
        pairs.append(
            Preference(
                f"What is the capital of {country}?",
                f"The capital of {country} is {capital}.",
                f"The capital of {country} is {wrong}.",
            )
        )
    return pairs


def _summary(found: dict[str, list[float]]) -> dict[str, object]:
    return {
        name: {"mean": round(float(np.mean(values)), 4), "seeds": [round(v, 4) for v in values]}
        for name, values in found.items()
    }


if __name__ == "__main__":
    main()
