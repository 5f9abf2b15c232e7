"""What was learned on one task, put to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.evaluation.lettered import LetteredClassifier, with_options
from headwise.evaluation.splits import Support
from headwise.examples import Example, labels_of
from headwise.methods.sparse_attention_classifier import (
    ClassifierStatistics,
    SparseAttentionClassifier,
    prepare,
)
from headwise.methods.truncation import TextCutter
from headwise.selection.sparse_readout import SparseReadout
from headwise.selection.whitening import fit_whitening


def carried(fitted: Any, engine: Engine, support: Support, *, progress: bool = False) -> Any:
    """A fitted method, made ready for another task.

    Of Sparse Attention Vectors, the heads found on the first task are kept, and their centroids
    (and whitening) are taken anew from the second task's support, as the paper carries heads over.
    Everything else is put to the other task as it is.

    Args:
        fitted: What `fit` returned on the first task.
        engine: The model.
        support: The second task's support.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The method for the second task.

    Raises:
        InputError: The support is not of labelled examples, for heads that are carried.
    """
    if isinstance(fitted, LetteredClassifier):
        shown = [with_options(example) for example in support if isinstance(example, Example)]
        inner = carried(fitted.classifier, engine, tuple(shown), progress=progress)
        return LetteredClassifier(inner)
    if not isinstance(fitted, SparseAttentionClassifier):
        return fitted
    examples = [example for example in support if isinstance(example, Example)]
    if len(examples) != len(support) or not examples:
        raise InputError("Heads are carried to a task by its support of labelled examples.")
    return with_centroids_of(fitted, engine, examples, progress=progress)


def with_centroids_of(
    fitted: SparseAttentionClassifier,
    engine: Engine,
    examples: Sequence[Example],
    *,
    progress: bool = False,
) -> SparseAttentionClassifier:
    """The same heads with the centroids of other examples.

    Args:
        fitted: Whose heads are kept; its prompt and voting too.
        engine: The model.
        examples: Labelled examples of two classes at least.
        progress: Whether to show a progress bar on stderr.

    Returns:
        A classifier of the examples' classes; its probabilities are sharpened as the first one's
        are.

    Raises:
        InputError: No examples, a missing label, or one class only.
    """
    names = labels_of(examples)
    classes = tuple(sorted(set(names)))
    labels = torch.tensor([classes.index(name) for name in names])
    conversations = prepare(examples, fitted.prompt, TextCutter(engine, fitted.max_text_tokens))
    activations = engine.capture(conversations, heads=fitted.heads, progress=progress)
    whitening = None
    if fitted.readout.maps:
        whitening = fit_whitening(activations, labels, len(classes))
    readout = SparseReadout.fitted(
        activations,
        labels,
        len(classes),
        fitted.heads,
        whitening=whitening,
        voting=fitted.readout.voting,
    )
    counts = torch.bincount(labels, minlength=len(classes)).tolist()
    statistics = ClassifierStatistics(
        **{
            **asdict(fitted.statistics),
            "n_examples": len(labels),
            "examples_per_class": dict(zip(classes, counts, strict=True)),
            "held_out_accuracy": None,
        }
    )
    return replace(fitted, classes=classes, readout=readout, statistics=statistics)
