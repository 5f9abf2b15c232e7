"""OK-VQA: questions about pictures that take knowledge from elsewhere."""

from __future__ import annotations

from headwise.benchmarks.kinds.visual_questions import VisualQuestions
from headwise.evaluation.items import Header

HEADER = Header(
    name="ok-vqa",
    title="OK-VQA",
    task="answers",
    dataset="lmms-lab/OK-VQA",
    split="val2014",
    licence="unknown",
    fields={
        "question_id": "a name",
        "image": "the picture",
        "question": "the question",
        "answers": "a list of ten answers, or of objects with an answer",
        "question_type": "the kind of knowledge; optional",
    },
    scoring="VQA accuracy: the mean, over leaving out one of ten people, of min(1, agreeing / 3), "
    "after the answers' normalisation.",
    paper="arXiv:1906.00067",
    images=True,
)

BENCHMARK = VisualQuestions(HEADER, split_by=("question_type",))
