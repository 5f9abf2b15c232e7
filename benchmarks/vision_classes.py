"""Sparse Attention Vectors on easy-VQA, beside zero-shot, in-context learning and a probe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import headwise
from benchmarks.easy_vqa import KINDS, Asked, drawn
from benchmarks.task_results import Measured
from benchmarks.vision_run import Stopwatch, VisionRun, share_right
from headwise.baselines.lora import LoraBaseline
from headwise.baselines.lora_training import LoraTraining
from headwise.examples import Example
from headwise.heads import HeadActivations
from headwise.methods.sparse_attention_classifier import prepare
from headwise.methods.truncation import TextCutter
from headwise.prompts.classification import ClassificationPrompt
from headwise.prompts.in_context import InContextPrompt

PER_CLASS = 20
SHOTS = 4
SETTINGS = {
    "sparse attention vectors": headwise.SparseAttentionVectors(),
    "sparse attention vectors, published rules": headwise.SparseAttentionVectors.paper(),
}
# Fine-tuning takes minutes where everything else takes seconds: these tasks say enough.
TUNED = ("shape", "color", "is it this shape")
LORA = LoraTraining(epochs=8, patience=2)
# One wording for all pictures: then the class is the picture's, not the question's.
FIXED = {"shape": "What shape is in the image?", "color": "What color is the shape?"}


def classes(run: VisionRun, seed: int) -> None:
    """Every kind of question, and the shape and the colour of pictures asked in one wording.

    Args:
        run: What is shared.
        seed: Of support and test set.
    """
    for task, support, test in _tasks(run, seed):
        names = sorted({one.label or "" for one in support})
        wanted = [one.label for one in test]
        heads = (*SETTINGS, "probe on all heads")
        if not all(run.ledger.has("classes", task, seed, way) for way in heads):
            _by_heads(run, task, seed, support, test)
        shown = InContextPrompt(style="chat")
        shots = support[:SHOTS]
        for way, prompts in (
            ("zero-shot", [shown.query(one) for one in test]),
            (f"{SHOTS}-shot", [shown.with_shots(shots, one) for one in test]),
        ):
            if run.ledger.has("classes", task, seed, way):
                continue
            watch = Stopwatch()
            right = share_right(run.likeliest(prompts, names), wanted)
            tokens = run.tokens(prompts)
            run.add(Measured("classes", task, seed, way, right, len(test), tokens, watch.seconds))


def tuned(run: VisionRun, seed: int) -> None:
    """LoRA on the same examples, for some kinds of question; apart, since it takes much longer.

    Args:
        run: What is shared.
        seed: Of support and test set.
    """
    for task, support, test in _tasks(run, seed):
        if task not in TUNED or run.ledger.has("classes", task, seed, "LoRA"):
            continue
        watch = Stopwatch()
        method = LoraBaseline(replace(LORA, seed=seed))
        classifier = method.fit(run.engine, support, progress=True)
        fit_seconds = watch.seconds
        watch = Stopwatch()
        said = classifier.predict(test, progress=True)
        right = share_right(said, [one.label for one in test])
        tokens = run.tokens(classifier.zero_shot.questions.conversations(test))
        row = Measured("classes", task, seed, "LoRA", right, len(test), tokens, watch.seconds)
        run.add(replace(row, fit_seconds=fit_seconds))


def _tasks(run: VisionRun, seed: int) -> Iterator[tuple[str, list[Example], list[Example]]]:
    random = np.random.default_rng(seed)
    for kind in KINDS:
        support = drawn(run.data.train, kind, PER_CLASS, random)
        answers = {one.answer for one in support}
        test = drawn(run.data.test, kind, run.items // len(answers), random)
        if kind in FIXED:
            text = FIXED[kind]
            yield f"{kind}, one wording", _examples(support, text), _examples(test, text)
        yield kind, _examples(support), _examples(test)


def _examples(asked: Sequence[Asked], text: str | None = None) -> list[Example]:
    found = [one.example for one in asked]
    return [Example(text or e.text, e.label, images=e.images) for e in found]


def _by_heads(
    run: VisionRun, task: str, seed: int, support: Sequence[Example], test: Sequence[Example]
) -> None:
    """One pass over all pictures; then everything that reads heads."""
    watch = Stopwatch()
    prompts = prepare([*support, *test], ClassificationPrompt(), TextCutter(run.engine, 2_048))
    activations = run.engine.capture(prompts, progress=True)
    per_item = watch.seconds / len(prompts)
    names = tuple(sorted({one.label or "" for one in support}))
    labels = torch.tensor([names.index(one.label or "") for one in support])
    known = activations.rows(range(len(support)))
    queries = activations.rows(range(len(support), len(prompts)))
    tokens = run.tokens(prompts[len(support) :])
    wanted = [one.label for one in test]
    found = {"probe on all heads": _probed(known, labels, queries)}
    for way, settings in SETTINGS.items():
        fitted = settings.fit_activations(run.engine, known, labels, names)
        found[way] = fitted.decide(queries).argmax(dim=1).tolist()
    for way, places in found.items():
        right = share_right([names[place] for place in places], wanted)
        run.add(
            Measured(
                "classes",
                task,
                seed,
                way,
                right,
                len(test),
                tokens,
                per_item * len(test),
                fit_seconds=per_item * len(support),
                n_heads=run.engine.layout.n_heads if way.startswith("probe") else 20,
            )
        )


def _probed(known: HeadActivations, labels: torch.Tensor, queries: HeadActivations) -> list[int]:
    flat = [
        torch.cat([value.flatten(1) for value in part.values], dim=1).numpy()
        for part in (known, queries)
    ]
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1_000))
    probe.fit(flat[0], labels.numpy())
    return [int(place) for place in probe.predict(flat[1])]
