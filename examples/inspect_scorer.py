"""A reward model scores what a model answers in an inspect_ai task.

Fits a reward model for correct answers on a few facts, and lets inspect_ai's mock model answer two
questions, one right and one wrong. Needs `pip install 'headwise[embedded,inspect]'`; takes minutes
on a CPU.

    python examples/inspect_scorer.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from inspect_ai import Task, eval  # noqa: A004
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.solver import generate

import headwise
from headwise import ActivationRewardModel, Preference
from headwise.data.demo import load_facts
from headwise.integrations.inspect_ai import headwise_reward

ANSWERED = {
    "What is the capital of Italy?": "The capital of Italy is Rome.",
    "How many legs does a spider have?": "A spider has four legs.",
}


def main() -> None:
    """Fits, evaluates, and prints each answer's score."""
    pairs = [Preference(fact.question, fact.right, fact.wrong) for fact in load_facts()[:24]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reward = ActivationRewardModel("The answer is correct.", readout="sparse")
        reward.fit(headwise.load(), pairs).save_pretrained(folder / "correct")
        outputs = [ModelOutput.from_content("mockllm/model", text) for text in ANSWERED.values()]
        for output in outputs:
            output.usage = ModelUsage()  # Or inspect downloads a tokenizer to count with.
        [log] = eval(
            Task(
                dataset=MemoryDataset([Sample(question) for question in ANSWERED]),
                solver=generate(),
                scorer=headwise_reward(str(folder / "correct")),
            ),
            model=get_model("mockllm/model", custom_outputs=outputs),
            log_dir=str(folder / "logs"),
            display="none",
            max_samples=1,
        )
        for sample in log.samples or []:
            [score] = (sample.scores or {}).values()
            print(f"{score.as_float():+.2f}  {score.answer}")


if __name__ == "__main__":
    main()
