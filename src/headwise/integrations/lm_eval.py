"""`headwise` as a model of lm-evaluation-harness: a few-shot classifier answers multiple choice.

The harness finds no models by entry point, so this module is what is run:

    python -m headwise.integrations.lm_eval --model headwise --model_args artifact=DIR --tasks ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headwise.errors import EngineError, InputError, MissingExtraError, shortened
from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier

try:
    from lm_eval.api.model import LM
    from lm_eval.api.registry import register_model
except ImportError as error:
    raise MissingExtraError("lm-eval", "lm-eval", "The lm-evaluation-harness model") from error


@register_model("headwise")
class HeadwiseLM(LM):
    """Answers `loglikelihood` with a classifier's probabilities, and nothing else.

    A task's context is what is classified, and its choices are the classes, spaces around them
    aside. So it fits tasks whose choices are the same for every document (topics, sentiment,
    yes/no), and the classifier should be fitted on contexts as the task writes them.

    Args:
        artifact: Folder or Hub id of a classifier.
        device: Where its language model runs; see `headwise.load`.
        dtype: What it is loaded as.
        batch_size: Taken because the harness gives it; headwise batches by tokens itself.
        max_batch_size: Likewise.

    Raises:
        ArtifactError: The artifact is missing, damaged, or no classifier.
    """

    def __init__(
        self,
        artifact: str,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
    ) -> None:
        super().__init__()
        self.fitted = SparseAttentionClassifier.from_pretrained(
            artifact, device=device, dtype=dtype
        )

    def loglikelihood(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """The log-probability of each choice, and whether it is the likeliest class.

        Args:
            requests: The harness's instances, with `(context, choice)` as arguments.
            disable_tqdm: Whether to show no progress.

        Returns:
            A pair a request. Each context is run once, however many choices it has.

        Raises:
            InputError: A choice is none of the classes.
        """
        asked = [(str(one.args[0]), str(one.args[1]).strip()) for one in requests]
        for _, choice in asked:
            self._require_class(choice)
        contexts = list(dict.fromkeys(context for context, _ in asked))
        found = self.fitted.predict_proba(contexts, progress=not disable_tqdm)
        rows = dict(zip(contexts, found, strict=True))
        answers = []
        for context, choice in asked:
            row, column = rows[context], self.fitted.classes.index(choice)
            logprob = float(np.log(max(float(row[column]), np.finfo(np.float64).tiny)))
            answers.append((logprob, bool(row.argmax() == column)))
        return answers

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> Any:
        """Refused: a classifier gives texts no probability.

        Raises:
            EngineError: Always; says what can.
        """
        raise _only_choices("the perplexity of a text")

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> Any:
        """Refused: a classifier writes nothing.

        Raises:
            EngineError: Always; says what can.
        """
        raise _only_choices("an answer in free text")

    def _require_class(self, choice: str) -> None:
        if choice not in self.fitted.classes:
            raise InputError(
                f"The task has the choice {shortened(choice)}, which is none of the classifier's "
                f"classes: {', '.join(self.fitted.classes)}. Fit it with the task's choices as "
                "labels."
            )


def _only_choices(what: str) -> EngineError:
    return EngineError(
        f"The task asks for {what}, but a headwise classifier only chooses among its classes. "
        "Use a multiple-choice task, or the language model itself (--model hf)."
    )


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()
