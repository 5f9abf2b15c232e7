"""`HeadFeatures`: the outputs of attention heads as features for any scikit-learn model."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Example
from headwise.heads import HeadIndex, HeadSet
from headwise.integrations.sklearn.head_reader import HeadReader
from headwise.integrations.sklearn.held_engine import EngineParameter, live_engine
from headwise.methods.truncation import check_budget
from headwise.prompts.classification import ClassificationPrompt
from headwise.selection.centroids import HeadScoring, support_similarities
from headwise.selection.nearest_centroid import rank_heads
from headwise.selection.whitening import fit_whitening


class HeadFeatures(TransformerMixin, HeadReader):
    """Last-token outputs of attention heads, side by side: `(n, features)` float32.

    Args:
        engine: See `SAVClassifier`.
        heads: `"all"`; a number, for the heads that tell the classes of `y` apart best (ranked as
            `SAVClassifier` does, which needs `y`); or the heads themselves, a `HeadSet` or
            `(layer, head)` pairs.
        head_scoring: What heads are ranked by, with a number.
        whitened: Whether they are ranked on whitened activations, with a number. The features
            themselves are as the model has them.
        instruction: See `SAVClassifier`.
        system: A system turn before it.
        max_text_tokens: Longer texts are cut in the middle.
        text_column: The data frame's column for `{text}`.
        image_column: The data frame's column of pictures.
        cache_mib: See `SAVClassifier`.
        progress: Whether to show progress bars on stderr.

    Attributes:
        heads_: The `HeadSet` in use; features are in its order.
    """

    def __init__(
        self,
        engine: EngineParameter = "embedded",
        *,
        heads: int | Literal["all"] | HeadSet | Sequence[tuple[int, int]] = "all",
        head_scoring: HeadScoring = "separation",
        whitened: bool = True,
        instruction: str = "{text}",
        system: str | None = None,
        max_text_tokens: int = 2_048,
        text_column: str = "text",
        image_column: str | None = None,
        cache_mib: int = 512,
        progress: bool = False,
    ) -> None:
        self.engine = engine
        self.heads = heads
        self.head_scoring = head_scoring
        self.whitened = whitened
        self.instruction = instruction
        self.system = system
        self.max_text_tokens = max_text_tokens
        self.text_column = text_column
        self.image_column = image_column
        self.cache_mib = cache_mib
        self.progress = progress

    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:  # noqa: N803
        """Chooses the heads.

        Args:
            X: `n` examples.
            y: `(n,)` labels; needed where `heads` is a number, else not looked at.

        Returns:
            The estimator.

        Raises:
            InputError: A head does not exist, or `heads` is a number and there are no labels of
                two classes.
        """
        check_budget(self.max_text_tokens)
        if self.head_scoring not in get_args(HeadScoring):
            raise InputError(
                f"head_scoring is one of {', '.join(get_args(HeadScoring))}; got "
                f"{self.head_scoring!r}."
            )
        prompt = ClassificationPrompt(self.instruction, self.system)
        examples = self._examples(X, self.instruction)
        if not examples:
            raise InputError("X has 0 samples; give one example at least.")
        self._engine = live_engine(self.engine)
        heads = self._chosen(self._engine, examples, prompt, y)
        self._dims = tuple(self._engine.layout.head_dim(index) for index in heads)
        self._prompt = prompt
        self._max_text_tokens = self.max_text_tokens
        self.heads_ = heads
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:  # noqa: N803
        """The features of `n` examples, `(n, features)` float32."""
        check_is_fitted(self, "heads_")
        examples = self._examples(X, self._prompt.instruction)
        activations = self._read(
            self._fitted_engine(), examples, self._prompt, self._max_text_tokens, self.heads_
        )
        return torch.cat(activations.heads(self.heads_), dim=1).numpy()

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Names such as `"layer3_head5_12"`: layer, head, component of its output.

        Args:
            input_features: Not used; a place of scikit-learn's interface.

        Returns:
            `(features,)` names.
        """
        check_is_fitted(self, "heads_")
        names = [
            f"layer{index.layer}_head{index.head}_{component}"
            for index, width in zip(self.heads_, self._dims, strict=True)
            for component in range(width)
        ]
        return np.array(names, dtype=object)

    def _chosen(
        self,
        engine: Engine,
        examples: list[Example],
        prompt: ClassificationPrompt,
        y: ArrayLike | None,
    ) -> HeadSet:
        wanted: Any = self.heads
        if isinstance(wanted, str):
            if wanted != "all":
                raise InputError(f"heads is 'all', a number or heads; got {wanted!r}.")
            return engine.layout.all_heads()
        if isinstance(wanted, numbers.Integral):
            return self._best(int(wanted), engine, examples, prompt, y)
        heads = wanted if isinstance(wanted, HeadSet) else _named_heads(wanted)
        if not len(heads):
            raise InputError("heads names no head; give one at least, a number, or 'all'.")
        return heads

    def _best(
        self,
        n_heads: int,
        engine: Engine,
        examples: list[Example],
        prompt: ClassificationPrompt,
        y: ArrayLike | None,
    ) -> HeadSet:
        if n_heads < 1:
            raise InputError(f"heads is a number of 1 at least; got {n_heads}.")
        if y is None:
            raise InputError(
                f"heads={n_heads} ranks heads by how well they tell classes apart, which requires "
                "y to be passed, but the target y is None. Give labels, or heads='all'."
            )
        labels = column_or_1d(y, warn=True)
        check_consistent_length(examples, labels)
        classes, positions = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise InputError("Heads are ranked by two classes at least; y has one class only.")
        numbered = torch.from_numpy(positions.reshape(-1))
        found = self._read(engine, examples, prompt, self.max_text_tokens)
        if self.whitened:
            found = fit_whitening(found, numbered, len(classes)).apply(found)
        similar = support_similarities(found, numbered, len(classes), scoring=self.head_scoring)
        return rank_heads(similar, numbered, self.head_scoring).top(n_heads)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Whatever comes in, float32 goes out.
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = isinstance(self.heads, numbers.Integral)
        return tags


def _named_heads(heads: Sequence[tuple[int, int] | HeadIndex]) -> HeadSet:
    try:
        return HeadSet.of(heads)
    except TypeError as error:
        raise InputError(
            f"heads is 'all', a number, a HeadSet or (layer, head) pairs; got {heads!r}."
        ) from error
