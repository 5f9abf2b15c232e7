"""A few-shot classifier answers a multiple-choice task of lm-evaluation-harness.

Fits on ten messages of each of five topics, writes a multiple-choice task over fifty others, and
lets the harness score it. Takes a minute on a CPU. Needs:

    pip install 'headwise[embedded,lm-eval]'

    python examples/lm_eval_sav.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import lm_eval
from lm_eval.tasks import TaskManager

import headwise
from headwise import SparseAttentionVectors
from headwise.data.demo import load_topics
from headwise.integrations.lm_eval import HeadwiseLM

TASK = """
task: headwise_topics
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{text}}}}"
doc_to_choice: {choices}
doc_to_target: label
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""


def main() -> None:
    """Fits, writes the task, and prints the harness's figure."""
    topics = load_topics()
    support, tested = topics[:50], topics[50:100]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fitted = SparseAttentionVectors().fit(headwise.load(), support)
        fitted.save_pretrained(folder / "topics")
        data = folder / "test.jsonl"
        lines = [json.dumps({"text": example.text, "label": example.label}) for example in tested]
        data.write_text("\n".join(lines), "utf-8")
        choices = json.dumps(list(fitted.classes))
        (folder / "topics.yaml").write_text(TASK.format(data=data, choices=choices), "utf-8")
        results = lm_eval.simple_evaluate(
            model=HeadwiseLM(str(folder / "topics")),
            tasks=["headwise_topics"],
            task_manager=TaskManager(include_path=str(folder), include_defaults=False),
            bootstrap_iters=0,
        )
        print(f"accuracy: {results['results']['headwise_topics']['acc,none']:.2f}")


if __name__ == "__main__":
    main()
