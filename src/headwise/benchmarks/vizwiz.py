"""VizWiz: questions of blind people about pictures they took."""

from __future__ import annotations

from headwise.benchmarks.kinds.visual_questions import VisualQuestions
from headwise.evaluation.items import Header

HEADER = Header(
    name="vizwiz",
    title="VizWiz-VQA",
    task="answers",
    dataset="lmms-lab/VizWiz-VQA",
    split="val",
    licence="cc-by-4.0",
    fields={
        "question_id": "a name; optional",
        "image": "the picture",
        "question": "the question",
        "answers": "a list of ten answers, or of objects with an answer (the official files)",
        "category": "the kind of answer; also answer_type; optional",
    },
    scoring="VQA accuracy: the mean, over leaving out one of ten people, of min(1, agreeing / 3), "
    "after the answers' normalisation.",
    paper="arXiv:1802.08218",
    images=True,
    notes="The question ends with how an unanswerable one is answered, as others ask it too.",
)

BENCHMARK = VisualQuestions(
    HEADER,
    "When the image does not tell, answer Unanswerable.",
    split_by=("category", "answer_type"),
)
