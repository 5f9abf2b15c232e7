"""Sparse Attention Vectors: a few-shot classifier from a few attention heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import torch

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Example, labels_of
from headwise.heads import HeadActivations
from headwise.methods.sparse_attention_classifier import (
    ClassifierStatistics,
    SparseAttentionClassifier,
    prepare,
)
from headwise.methods.truncation import TextCutter, check_budget
from headwise.prompts.classification import ClassificationPrompt
from headwise.selection.calibration import fit_scale
from headwise.selection.centroids import HeadScoring, support_similarities
from headwise.selection.cross_validation import (
    HEAD_COUNTS,
    HeldOutDecisions,
    held_out_decisions,
)
from headwise.selection.nearest_centroid import rank_heads
from headwise.selection.sparse_readout import SparseReadout
from headwise.selection.voting import Voting
from headwise.selection.whitening import fit_whitening

# With one example a class nothing can be held out; then cosines are sharpened by this.
_UNCALIBRATED_SCALE = 10.0
_HEADS_WITHOUT_VALIDATION = 20


@dataclass(frozen=True, slots=True)
class SparseAttentionVectors:
    """A few-shot classifier from a few attention heads of a frozen model.

    Args:
        n_heads: How many heads to keep, or `"auto"` to choose by cross-validation on the support
            set.
        head_scoring: What heads are ranked by: `"separation"`, the margin between the classes in
            units of its deviation; `"leave_one_out"`, the support examples they get right; both
            keep an example out of its own class's centroid. `"resubstitution"` counts with the
            example left in.
        voting: `"soft"` averages the heads' cosine similarities, `"majority"` counts their votes.
        whitened: Whether activations are divided by their shrunk covariance within the classes
            before cosines are taken.
        instruction: The user's turn put to the model; `{text}` is the example's text, `{image}`
            its pictures (before everything else where the instruction has no such place), every
            other `{column}` one of its fields.
        system: A system turn before it.
        max_text_tokens: Longer texts are cut in the middle, counted and reported.
        seed: Seed of the cross-validation folds.

    Raises:
        InputError: A parameter is out of range.

    Source: arXiv:2412.00142. `paper()` gives the published rules; leave-one-out scoring, soft
    voting, whitening, calibrated probabilities and the choice of `n_heads` are ours.
    """

    n_heads: int | Literal["auto"] = 20
    head_scoring: HeadScoring = "separation"
    voting: Voting = "soft"
    whitened: bool = True
    instruction: str = "{text}"
    system: str | None = None
    max_text_tokens: int = 2_048
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_heads != "auto" and (not isinstance(self.n_heads, int) or self.n_heads < 1):
            raise InputError(f"n_heads is a positive number or 'auto'; got {self.n_heads!r}.")
        if self.head_scoring not in get_args(HeadScoring):
            raise InputError(
                f"head_scoring is one of {', '.join(get_args(HeadScoring))}; got "
                f"{self.head_scoring!r}."
            )
        if self.voting not in ("soft", "majority"):
            raise InputError(f"voting is 'soft' or 'majority'; got {self.voting!r}.")
        check_budget(self.max_text_tokens)
        ClassificationPrompt(self.instruction, self.system)

    @classmethod
    def paper(
        cls, *, instruction: str = "{text}", system: str | None = None
    ) -> SparseAttentionVectors:
        """The published rules: 20 heads by resubstitution accuracy, majority vote, plain cosine."""
        return cls(
            n_heads=20,
            head_scoring="resubstitution",
            voting="majority",
            whitened=False,
            instruction=instruction,
            system=system,
        )

    def fit(
        self, engine: Engine, examples: Sequence[Example], *, progress: bool = False
    ) -> SparseAttentionClassifier:
        """Finds the heads that tell the classes apart; one forward pass over the support set.

        Args:
            engine: The frozen model.
            examples: The support set: labelled examples of two classes at least, one a class at
                least.
            progress: Whether to show a progress bar on stderr.

        Returns:
            The classifier.

        Raises:
            InputError: No examples, a missing label, or one class only.
            ActivationError: The model produced NaN or infinite activations.
        """
        names = labels_of(examples)
        classes = tuple(sorted(set(names)))
        labels = torch.tensor([classes.index(name) for name in names])
        prompt = ClassificationPrompt(self.instruction, self.system)
        cutter = TextCutter(engine, self.max_text_tokens)
        conversations = prepare(examples, prompt, cutter)
        cutter.report("texts", "max_text_tokens")
        activations = engine.capture(conversations, progress=progress)
        n_images = sum(len(example.images) for example in examples)
        return self.fit_activations(engine, activations, labels, classes, n_images=n_images)

    def fit_activations(
        self,
        engine: Engine,
        activations: HeadActivations,
        labels: torch.Tensor,
        classes: tuple[str, ...],
        *,
        n_images: int = 0,
    ) -> SparseAttentionClassifier:
        """Fits on activations that were captured before.

        Args:
            engine: The model they were captured from.
            activations: Of `n` support examples, all heads.
            labels: `(n,)` int64 positions in `classes`; every class occurs.
            classes: Class names.
            n_images: Pictures that the examples show in all.

        Returns:
            The classifier.
        """
        whitening = fit_whitening(activations, labels, len(classes)) if self.whitened else None
        prepared = whitening.apply(activations) if whitening is not None else activations
        similar = support_similarities(prepared, labels, len(classes), scoring=self.head_scoring)
        ranked = rank_heads(similar, labels, self.head_scoring)
        held_out = self._held_out(activations, labels, len(classes), len(ranked))
        heads = ranked.top(self._head_count(held_out))
        readout = SparseReadout.fitted(
            activations, labels, len(classes), heads, whitening=whitening, voting=self.voting
        )
        counts = torch.bincount(labels, minlength=len(classes)).tolist()
        return SparseAttentionClassifier(
            engine=engine,
            prompt=ClassificationPrompt(self.instruction, self.system),
            max_text_tokens=self.max_text_tokens,
            classes=classes,
            readout=readout,
            scale=_calibrated_scale(held_out, len(heads)),
            parameters=asdict(self),
            statistics=ClassifierStatistics(
                n_examples=len(labels),
                examples_per_class=dict(zip(classes, counts, strict=True)),
                held_out_accuracy=_accuracy(held_out, len(heads)),
                n_images=n_images,
            ),
            fingerprint=engine.fingerprint,
            layout=engine.layout,
        )

    def _held_out(
        self, activations: HeadActivations, labels: torch.Tensor, n_classes: int, n_ranked: int
    ) -> HeldOutDecisions | None:
        wanted = HEAD_COUNTS if self.n_heads == "auto" else (self.n_heads,)
        counts = tuple(dict.fromkeys(min(count, n_ranked) for count in wanted))
        return held_out_decisions(
            activations,
            labels,
            n_classes,
            counts=counts,
            scoring=self.head_scoring,
            whitened=self.whitened,
            voting=self.voting,
            seed=self.seed,
        )

    def _head_count(self, held_out: HeldOutDecisions | None) -> int:
        if self.n_heads != "auto":
            return self.n_heads
        return _HEADS_WITHOUT_VALIDATION if held_out is None else held_out.best_count()


def _calibrated_scale(held_out: HeldOutDecisions | None, n_heads: int) -> float:
    if held_out is None:
        return _UNCALIBRATED_SCALE
    return fit_scale(held_out.of_count(n_heads), held_out.labels)


def _accuracy(held_out: HeldOutDecisions | None, n_heads: int) -> float | None:
    if held_out is None:
        return None
    return held_out.accuracies[held_out.counts.index(n_heads)]
