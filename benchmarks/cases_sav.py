"""Sparse attention vectors: fitting on 80 examples, and classifying one message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from benchmarks import naive
from benchmarks.floor import base_passes, plain_batches
from benchmarks.results import Case, Check, Comparison
from benchmarks.sizes import Sizes
from benchmarks.subjects import Subject
from benchmarks.texts import INSTRUCTION, SYSTEM, Topics, topics
from benchmarks.timing import Contender
from headwise import SparseAttentionVectors
from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier
from headwise.prompts.classification import ClassificationPrompt
from headwise.prompts.conversation import Conversation

_OWN = SparseAttentionVectors(instruction=INSTRUCTION, system=SYSTEM)
_PAPER = SparseAttentionVectors.paper(instruction=INSTRUCTION, system=SYSTEM)
_BASE = "base-model pass"


def sav_cases(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Case]:
    """The cases of sparse attention vectors.

    Args:
        subject: The model.
        sizes: How large they are.
        seed: Not used: nothing here is drawn.

    Yields:
        Fits with and without a shared prefix, and a query.
    """
    data = topics(sizes.shots, sizes.queries)
    yield _fit_shared(subject, data)
    yield _fit_unshared(subject, data, sizes)
    yield _query(subject, data, sizes)


def _fit_shared(subject: Subject, data: Topics) -> Case:
    prompt = ClassificationPrompt(INSTRUCTION, SYSTEM)
    prompts = [subject.encoder.encode(prompt.conversation(e)) for e in data.support]
    batches = _batches(subject, prompts)
    fits: list[naive.NaiveClassifier] = []
    contenders = (
        Contender(
            "headwise",
            "headwise",
            lambda: _OWN.fit(subject.engine, data.support),
            prepare=subject.engine.forget_prefixes,
        ),
        Contender(
            "headwise, paper",
            "headwise",
            lambda: _PAPER.fit(subject.engine, data.support),
            prepare=subject.engine.forget_prefixes,
        ),
        _naive_fit(subject, prompts, data.labels, 1, fits),
        Contender(_BASE, "floor", lambda: base_passes(subject.model, batches)),
    )
    return Case(
        "sav-fit-shared",
        f"SAV fit, {len(prompts)} examples that share system prompt and instruction",
        f"Chat prompts of {_mean_length(prompts):.0f} tokens on average. The base-model pass runs "
        "the same prompts in batches without sharing their prefix.",
        contenders,
        _fit_comparisons(1.0),
        lambda: _agreement(subject, data, fits[-1]),
    )


def _fit_unshared(subject: Subject, data: Topics, sizes: Sizes) -> Case:
    conversations = [Conversation.completion(f"{e.text}\nTopic:") for e in data.support]
    prompts = [subject.encoder.encode(conversation) for conversation in conversations]
    batches = _batches(subject, prompts)
    n_naive = sizes.naive_shots * len(data.classes)

    def fit(method: SparseAttentionVectors) -> SparseAttentionClassifier:
        activations = subject.engine.capture(conversations)
        labels = torch.tensor(data.labels)
        return method.fit_activations(subject.engine, activations, labels, data.classes)

    contenders = (
        Contender(
            "headwise", "headwise", lambda: fit(_OWN), prepare=subject.engine.forget_prefixes
        ),
        Contender(
            "headwise, paper",
            "headwise",
            lambda: fit(_PAPER),
            prepare=subject.engine.forget_prefixes,
        ),
        _naive_fit(subject, prompts[:n_naive], data.labels[:n_naive], len(prompts) / n_naive, []),
        Contender(_BASE, "floor", lambda: base_passes(subject.model, batches)),
    )
    return Case(
        "sav-fit",
        f"SAV fit, {len(prompts)} examples that share nothing",
        f"Plain prompts of {_mean_length(prompts):.0f} tokens on average that begin with the "
        "message. The base-model pass runs the same prompts in the same batches.",
        contenders,
        _fit_comparisons(1.1),
    )


def _query(subject: Subject, data: Topics, sizes: Sizes) -> Case:
    model, texts = subject.model, [example.text for example in data.queries]
    prompt = ClassificationPrompt(INSTRUCTION, SYSTEM)
    prompts = [subject.encoder.encode(prompt.conversation(e)) for e in data.queries]
    own, paper = (method.fit(subject.engine, data.support) for method in (_OWN, _PAPER))
    published = _as_naive(paper)
    each = 1 / len(texts)
    batches = [torch.tensor([ids], device=model.device) for ids in prompts]
    contenders = (
        Contender("headwise", "headwise", lambda: _one_by_one(own, texts), 2, each),
        Contender("headwise, paper", "headwise", lambda: _one_by_one(paper, texts), 2, each),
        Contender(
            "naive", "naive", lambda: [naive.predict(model, published, p) for p in prompts], 1, each
        ),
        Contender(_BASE, "floor", lambda: base_passes(model, batches), 2, each),
    )

    def checks() -> tuple[Check, ...]:
        said = [paper.classes[naive.predict(model, published, ids)] for ids in prompts]
        differ = sum(a != b for a, b in zip(said, paper.predict(texts), strict=True))
        return (Check("queries on which headwise and naive predict another class", differ, 0),)

    own_deepest, paper_deepest = own.heads.deepest_layer, paper.heads.deepest_layer
    return Case(
        "sav-query",
        "SAV query, one message",
        f"{len(texts)} messages one by one (chat prompts of {_mean_length(prompts):.0f} tokens), "
        f"seconds a message. Of {len(subject.engine.layout.layers)} layers the deepest kept head "
        f"is in layer {own_deepest} (paper: {paper_deepest}), counted from 0. What all messages "
        "begin with was run for messages before.",
        contenders,
        (
            Comparison("headwise", "naive", "speedup", 2.0),
            Comparison("headwise, paper", "naive", "speedup", 2.0),
            Comparison("headwise", _BASE, "cost", 1.0),
            Comparison("headwise, paper", _BASE, "cost", 1.0),
        ),
        checks,
    )


def _one_by_one(classifier: SparseAttentionClassifier, texts: Sequence[str]) -> list[str]:
    return [classifier.predict([text])[0] for text in texts]


def _naive_fit(
    subject: Subject,
    prompts: Sequence[list[int]],
    labels: Sequence[int],
    scale: float,
    fits: list[naive.NaiveClassifier],
) -> Contender:
    """The naive fit; what it finds is added to `fits`."""
    note = "" if scale == 1 else f"timed on {len(prompts)} examples, times {scale:g}"
    few = next(n for n in range(2, len(labels) + 1) if len(set(labels[:n])) == max(labels) + 1)
    return Contender(
        "naive",
        "naive",
        lambda: fits.append(naive.fit_classifier(subject.model, prompts, labels)),
        scale=scale,
        warm=lambda: naive.fit_classifier(subject.model, prompts[:few], labels[:few]),
        note=note,
    )


def _fit_comparisons(allowed: float) -> tuple[Comparison, ...]:
    return (
        Comparison("headwise", "naive", "speedup", 5.0),
        Comparison("headwise, paper", "naive", "speedup", 5.0),
        Comparison("headwise", _BASE, "cost", allowed),
        Comparison("headwise, paper", _BASE, "cost", allowed),
    )


def _agreement(
    subject: Subject, data: Topics, published: naive.NaiveClassifier
) -> tuple[Check, ...]:
    """How far the counts of kept heads are apart; rounding may tip an example that is on edge."""
    fitted = _PAPER.fit(subject.engine, data.support)
    difference = max(
        abs(round(score * len(data.support)) - int(published.counts[head.layer, head.head]))
        for head, score in zip(fitted.heads, fitted.heads.scores, strict=True)
    )
    return (Check("examples by which a kept head's count differs from naive", difference, 1),)


def _as_naive(classifier: SparseAttentionClassifier) -> naive.NaiveClassifier:
    """The same heads and centroids: ties between heads are broken in one way only here."""
    device = next(classifier.engine.model.parameters()).device  # type: ignore[attr-defined]
    centroids = tuple(table.to(device) for table in classifier.readout.centroids)
    heads = tuple((head.layer, head.head) for head in classifier.heads)
    return naive.NaiveClassifier(heads, centroids, torch.empty(0))


def _batches(subject: Subject, prompts: Sequence[list[int]]) -> tuple[Tensor, ...]:
    pad_id = subject.encoder.pad_id
    return plain_batches(prompts, subject.token_budget, pad_id, subject.model.device)


def _mean_length(prompts: Sequence[list[int]]) -> float:
    return sum(map(len, prompts)) / len(prompts)
