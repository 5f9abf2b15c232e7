"""`SAVClassifier`: Sparse Attention Vectors as a scikit-learn classifier."""

from __future__ import annotations

import numbers
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from headwise.artifacts import ArtifactRecord
from headwise.artifacts.json_value import JSON
from headwise.errors import ArtifactError, InputError
from headwise.integrations.sklearn.head_reader import HeadReader
from headwise.integrations.sklearn.held_engine import EngineParameter, live_engine
from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier
from headwise.methods.sparse_attention_vectors import SparseAttentionVectors
from headwise.prompts.classification import ClassificationPrompt
from headwise.selection.centroids import HeadScoring
from headwise.selection.voting import Voting

# The settings of the method that are parameters here, by the same names.
_SETTINGS = (
    *("n_heads", "head_scoring", "voting", "whitened"),
    *("instruction", "system", "max_text_tokens", "seed"),
)
_LABEL_KINDS: dict[str, Any] = {"i": np.int64, "u": np.int64, "f": np.float64, "b": np.bool_}


class SAVClassifier(ClassifierMixin, HeadReader):
    """A few-shot classifier from a few attention heads of a frozen model.

    `X` is a list of texts, `Example`s or pictures, a series, or a data frame. Works in
    `cross_val_score`, `GridSearchCV`, `Pipeline` and whatever else takes an estimator. The model is
    shared by all clones, and what it made of an example is kept, so a search over `n_heads` or
    `voting` runs each example once.

    Args:
        engine: A loaded engine (`headwise.load`), or the name of one: a Hub id, a folder,
            `"embedded"`. A named one is loaded at the first fit, once in a process; only with a
            name can the estimator be pickled, which `n_jobs` above 1 does.
        n_heads: How many heads to keep, or `"auto"`; as the further ones up to `system`, see
            `SparseAttentionVectors`.
        head_scoring: What heads are ranked by.
        voting: `"soft"` or `"majority"`.
        whitened: Whether activations are whitened within the classes.
        instruction: The user's turn; `{text}` is the example's text (of a data frame the column
            `text_column`), `{image}` its pictures, every other `{column}` a column of that name.
        system: A system turn before it.
        max_text_tokens: Longer texts are cut in the middle.
        seed: Seed of the cross-validation inside the fit.
        text_column: The data frame's column for `{text}`.
        image_column: The data frame's column of pictures: paths, bytes, PIL images, or lists of
            them; None where there is none.
        cache_mib: Memory in MiB for activations kept from one fit to the next, shared by all
            estimators of an engine; those used longest ago go first. 0 keeps none, and prediction
            then stops at the deepest kept head.
        progress: Whether to show progress bars on stderr.

    Attributes:
        classes_: `(n_classes,)`, the labels as they were given, sorted.
        classifier_: The fitted `SparseAttentionClassifier`, an artifact.

    Source: arXiv:2412.00142; see `SparseAttentionVectors` for what is ours.
    """

    # What was fitted, or its record until the model of an unpickled estimator is loaded.
    _fitted: SparseAttentionClassifier | ArtifactRecord

    def __init__(
        self,
        engine: EngineParameter = "embedded",
        *,
        n_heads: int | Literal["auto"] = 20,
        head_scoring: HeadScoring = "separation",
        voting: Voting = "soft",
        whitened: bool = True,
        instruction: str = "{text}",
        system: str | None = None,
        max_text_tokens: int = 2_048,
        seed: int = 0,
        text_column: str = "text",
        image_column: str | None = None,
        cache_mib: int = 512,
        progress: bool = False,
    ) -> None:
        self.engine = engine
        self.n_heads = n_heads
        self.head_scoring = head_scoring
        self.voting = voting
        self.whitened = whitened
        self.instruction = instruction
        self.system = system
        self.max_text_tokens = max_text_tokens
        self.seed = seed
        self.text_column = text_column
        self.image_column = image_column
        self.cache_mib = cache_mib
        self.progress = progress

    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:  # noqa: N803
        """Finds the heads that tell the classes apart.

        Args:
            X: `n` examples, see the class.
            y: `(n,)` labels: texts, numbers or bools.

        Returns:
            The estimator.

        Raises:
            InputError: There are no labels, other numbers of examples and labels, or one class
                only.
        """
        if y is None:
            raise InputError("SAVClassifier requires y to be passed, but the target y is None.")
        labels = column_or_1d(y, warn=True)
        check_classification_targets(labels)
        method = self._method()
        examples = self._examples(X, self.instruction)
        check_consistent_length(examples, labels)
        classes, positions = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise InputError(
                f"The classifier can't train when only one class is present: {classes.tolist()}. "
                "Give examples of two classes at least."
            )
        self._engine = live_engine(self.engine)
        prompt = ClassificationPrompt(self.instruction, self.system)
        activations = self._read(self._engine, examples, prompt, method.max_text_tokens)
        fitted = method.fit_activations(
            self._engine,
            activations,
            torch.from_numpy(positions.reshape(-1)),
            tuple(str(name) for name in classes.tolist()),
            n_images=sum(len(example.images) for example in examples),
        )
        kind: dict[str, JSON] = {"label_kind": classes.dtype.kind}
        self._fitted = replace(fitted, parameters={**fitted.parameters, **kind})
        self.classes_ = classes
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """How much the kept heads speak for each class.

        Args:
            X: `n` examples.

        Returns:
            `(n, n_classes)` float64, columns as in `classes_`; of two classes `(n,)`, positive for
            the second.
        """
        decisions = self._decisions(X)
        return decisions[:, 1] - decisions[:, 0] if decisions.shape[1] == 2 else decisions

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Calibrated probabilities, `(n, n_classes)` float64, columns as in `classes_`."""
        decisions = self._decisions(X)
        return self.classifier_.probabilities(decisions)

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """The class of each of `n` examples, `(n,)`, of the type the labels had."""
        decisions = self._decisions(X)
        predicted: NDArray[Any] = self.classes_[decisions.argmax(axis=1)]
        return predicted

    @property
    def classifier_(self) -> SparseAttentionClassifier:
        """The fitted artifact."""
        check_is_fitted(self, "classes_")
        if isinstance(self._fitted, SparseAttentionClassifier):
            return self._fitted
        engine = self._fitted_engine()
        self._fitted = SparseAttentionClassifier.from_record(self._fitted, engine)
        return self._fitted

    def save_pretrained(self, path: str | Path) -> None:
        """Saves the fitted artifact to a folder, without the model; see `Artifact`.

        `headwise predict`, `headwise.from_pretrained` and `SAVClassifier.from_pretrained` read it.

        Args:
            path: The folder.
        """
        self.classifier_.save_pretrained(path)

    @classmethod
    def from_pretrained(
        cls, path: str | Path, engine: EngineParameter = None, **parameters: Any
    ) -> Self:
        """A fitted estimator from the folder (or Hub id) of a `sparse-attention-vectors` artifact.

        Args:
            path: The folder, or a Hub id.
            engine: The model it was fitted on; loaded by its name where it is None.
            parameters: What is not part of the artifact: `text_column`, `image_column`,
                `cache_mib`, `progress`.

        Returns:
            The estimator.

        Raises:
            ArtifactError: It is missing, damaged, or for another model.
        """
        live = None if engine is None else live_engine(engine)
        fitted = SparseAttentionClassifier.from_pretrained(path, engine=live)
        settings = {name: fitted.parameters.get(name) for name in _SETTINGS}
        known: dict[str, Any] = {
            name: value for name, value in settings.items() if value is not None
        }
        estimator = cls(fitted.engine if engine is None else engine, **known, **parameters)
        estimator._engine = fitted.engine
        estimator._fitted = fitted
        estimator.classes_ = _labels(fitted)
        return estimator

    def _method(self) -> SparseAttentionVectors:
        # A parameter grid gives numpy's numbers, which the method's record does not take.
        settings = {name: _plain(getattr(self, name)) for name in _SETTINGS}
        return SparseAttentionVectors(**settings)

    def _decisions(self, rows: Any) -> NDArray[np.float64]:
        fitted = self.classifier_
        examples = self._examples(rows, fitted.prompt.instruction)
        activations = self._read(
            fitted.engine, examples, fitted.prompt, fitted.max_text_tokens, fitted.heads
        )
        return fitted.decide(activations).numpy()

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        fitted = state.get("_fitted")
        if isinstance(fitted, SparseAttentionClassifier):
            state["_fitted"] = fitted.to_record()
        return state


def _plain(value: Any) -> Any:
    if isinstance(value, np.bool_ | numbers.Integral | np.str_) and isinstance(value, np.generic):
        return value.item()
    return value


def _labels(fitted: SparseAttentionClassifier) -> NDArray[Any]:
    """The class names as the labels that they were."""
    kind = str(fitted.parameters.get("label_kind", "U"))
    names: NDArray[Any] = np.array(fitted.classes)
    try:
        if kind == "b":
            return np.array([name == "True" for name in fitted.classes])
        return names.astype(_LABEL_KINDS[kind]) if kind in _LABEL_KINDS else names
    except ValueError as error:
        raise ArtifactError(
            f"headwise.json: the classes {', '.join(fitted.classes)} are no labels of the kind "
            f"{kind!r}."
        ) from error
