"""The fitted classifier of Sparse Attention Vectors: frozen, predicts, saves and loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headwise.artifacts import Artifact, ArtifactRecord
from headwise.artifacts.fields import Fields
from headwise.artifacts.json_value import JSON
from headwise.engines.base import Engine, ModelFingerprint
from headwise.errors import ArtifactError, InputError
from headwise.examples import Example, ExampleLike, as_example
from headwise.heads import HeadActivations, HeadLayout, HeadSet
from headwise.methods.readout_record import readout_from_tensors
from headwise.methods.truncation import TextCutter
from headwise.prompts.classification import ClassificationPrompt
from headwise.prompts.conversation import Conversation
from headwise.prompts.template import places
from headwise.selection.sparse_readout import SparseReadout
from headwise.selection.voting import Voting


@dataclass(frozen=True, slots=True)
class ClassifierStatistics:
    """What is known of a fit.

    Args:
        n_examples: Support examples.
        examples_per_class: How many of each class.
        held_out_accuracy: Cross-validated accuracy on the support set; None where nothing could be
            held out.
        n_images: Pictures that they show in all.
    """

    n_examples: int
    examples_per_class: Mapping[str, int]
    held_out_accuracy: float | None
    n_images: int = 0


@dataclass(frozen=True, eq=False)
class SparseAttentionClassifier(Artifact):
    """A few-shot classifier; made by `SparseAttentionVectors.fit`.

    Args:
        engine: The frozen model.
        prompt: How an example is put to the model.
        max_text_tokens: Longer texts are cut in the middle.
        classes: Class names, in the order of every array's columns.
        readout: The kept heads and their centroids.
        scale: Factor on decision values before the softmax.
        parameters: The settings it was fitted with.
        statistics: What is known of the fit.
        fingerprint: The model it was fitted on.
        layout: The heads of that model.
    """

    engine: Engine
    prompt: ClassificationPrompt
    max_text_tokens: int
    classes: tuple[str, ...]
    readout: SparseReadout
    scale: float
    parameters: Mapping[str, JSON]
    statistics: ClassifierStatistics
    fingerprint: ModelFingerprint
    layout: HeadLayout

    method: ClassVar[str] = "sparse-attention-vectors"

    def __repr__(self) -> str:
        shown = ", ".join(self.classes[:4]) + (", ..." if len(self.classes) > 4 else "")
        return (
            f"SparseAttentionClassifier({len(self.classes)} classes: {shown}; "
            f"{len(self.heads)} heads of {self.fingerprint.model_id})"
        )

    @property
    def heads(self) -> HeadSet:
        """The kept heads, best first, scored by their accuracy on the support set."""
        return self.readout.heads

    def decision_function(
        self, examples: Sequence[ExampleLike], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """How much the kept heads speak for each class.

        The forward pass stops at the deepest kept head.

        Args:
            examples: `n` examples, texts or pictures (see `as_example`); labels are ignored.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n, n_classes)` float64, columns as in `classes`: the mean cosine similarity to the
            class centroid (soft voting), or the share of votes (majority), where less than one
            vote's worth is added to break ties.

        Raises:
            InputError: An example lacks a column that the instruction asks for.
        """
        cutter = TextCutter(self.engine, self.max_text_tokens)
        conversations = prepare(examples, self.prompt, cutter)
        cutter.report("texts", "max_text_tokens")
        activations = self.engine.capture(conversations, heads=self.heads, progress=progress)
        return self.decide(activations).numpy()

    def decide(self, activations: HeadActivations) -> Tensor:
        """Decision values from activations captured before, `(n, n_classes)` float64."""
        return self.readout.decisions(activations)

    def predict_proba(
        self, examples: Sequence[ExampleLike], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Calibrated class probabilities.

        Args:
            examples: `n` examples, texts or pictures (see `as_example`).
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n, n_classes)` float64, rows sum to 1; the largest is what `predict` says.
        """
        return self.probabilities(self.decision_function(examples, progress=progress))

    def probabilities(self, decisions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Class probabilities of decision values, `(n, n_classes)` float64."""
        return torch.softmax(torch.from_numpy(decisions) * self.scale, dim=1).numpy()

    def predict(self, examples: Sequence[ExampleLike], *, progress: bool = False) -> list[str]:
        """The class of each example.

        Args:
            examples: `n` examples, texts or pictures (see `as_example`).
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` class names.
        """
        decisions = self.decision_function(examples, progress=progress)
        return [self.classes[number] for number in decisions.argmax(axis=1)]

    def score(self, examples: Sequence[Example], *, progress: bool = False) -> float:
        """Accuracy on labelled examples.

        Args:
            examples: Examples with labels.
            progress: Whether to show a progress bar on stderr.

        Returns:
            The share of examples classified as labelled.

        Raises:
            InputError: No examples, one without label, or with a label the classifier does not
                know.
        """
        if not examples:
            raise InputError("score needs one example at least.")
        self.check_labels(examples)
        predicted = self.predict(examples, progress=progress)
        right = [label == e.label for label, e in zip(predicted, examples, strict=True)]
        return float(np.mean(right))

    def check_labels(self, examples: Sequence[Example]) -> None:
        """Checks that every example has a label that the classifier knows.

        Raises:
            InputError: Names the example, its label and the classes.
        """
        for number, example in enumerate(examples):
            if example.label not in self.classes:
                raise InputError(
                    f"Example {number} has the label {example.label!r}, which the classifier was "
                    f"not fitted on; its classes are {', '.join(self.classes)}."
                )

    def to_record(self) -> ArtifactRecord:
        """All that is needed to have this classifier again."""
        return ArtifactRecord(
            method=self.method,
            parameters={
                "settings": dict(self.parameters),
                "classes": list(self.classes),
                "voting": self.readout.voting,
                "whitened": bool(self.readout.maps),
                "scale": self.scale,
                "max_text_tokens": self.max_text_tokens,
            },
            base_model=self.fingerprint,
            layout=self.layout,
            heads=self.heads,
            prompt={"instruction": self.prompt.instruction, "system": self.prompt.system},
            statistics=_statistics_json(self.statistics),
            tensors=self.readout.tensors(),
        )

    @classmethod
    def from_record(cls, record: ArtifactRecord, engine: Engine) -> Self:
        """The classifier that `to_record` described; see `Artifact.from_record`."""
        parameters = Fields(record.parameters, "parameters")
        prompt = Fields(record.prompt, "prompt")
        classes = record.parameters.get("classes")
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise ArtifactError("headwise.json: the field 'parameters.classes' must list names.")
        voting = parameters.text("voting")
        if voting not in ("soft", "majority"):
            raise ArtifactError(f"headwise.json: unknown voting {voting!r}.")
        chosen: Voting = "soft" if voting == "soft" else "majority"
        names = tuple(str(name) for name in classes)
        return cls(
            engine=engine,
            prompt=ClassificationPrompt(prompt.text("instruction"), prompt.optional_text("system")),
            max_text_tokens=parameters.integer("max_text_tokens", minimum=8),
            classes=names,
            readout=readout_from_tensors(
                record, len(names), chosen, whitened=record.parameters.get("whitened") is True
            ),
            scale=parameters.number("scale"),
            parameters=parameters.mapping("settings"),
            statistics=_read_statistics(Fields(record.statistics, "statistics")),
            fingerprint=record.base_model,
            layout=record.layout,
        )


def prepare(
    examples: Sequence[ExampleLike], prompt: ClassificationPrompt, cutter: TextCutter
) -> list[Conversation]:
    """The conversations of examples, each text and field cut to the budget.

    Args:
        examples: Examples, texts or pictures.
        prompt: How they are put to the model.
        cutter: Cuts and counts.

    Returns:
        One conversation an example.
    """
    return [prompt.conversation(shown) for shown in shortened(examples, prompt.instruction, cutter)]


def shortened(
    examples: Sequence[ExampleLike], instruction: str, cutter: TextCutter
) -> list[Example]:
    """What the model gets to see of examples, each text and field cut to the budget.

    Args:
        examples: Examples, texts or pictures.
        instruction: The template that says what is seen.
        cutter: Cuts and counts.

    Returns:
        One example each, without its label.
    """
    named = set(places(instruction))
    shown = []
    for example in examples:
        whole = as_example(example)
        # Only what the model gets to see is cut and counted.
        text = cutter.cut(whole.text) if "text" in named else whole.text
        wanted = {n: value for n, value in whole.fields.items() if n in named and n != "text"}
        fields = {name: cutter.cut(value) for name, value in wanted.items()}
        shown.append(Example(text, fields=fields, images=whole.images))
    return shown


def _statistics_json(statistics: ClassifierStatistics) -> Mapping[str, JSON]:
    values = asdict(statistics)
    values["examples_per_class"] = dict(statistics.examples_per_class)
    if not statistics.n_images:
        del values["n_images"]
    return values


def _read_statistics(fields: Fields) -> ClassifierStatistics:
    counts = fields.fields("examples_per_class")
    accuracy = fields.values.get("held_out_accuracy")
    return ClassifierStatistics(
        n_examples=fields.integer("n_examples"),
        examples_per_class={name: counts.integer(name) for name in counts.values},
        held_out_accuracy=None if accuracy is None else fields.number("held_out_accuracy"),
        n_images=fields.integer("n_images") if "n_images" in fields.values else 0,
    )
