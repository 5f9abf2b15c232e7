"""A recipe: a few-shot classifier of pictures as a model of lmms-eval.

lmms-eval finds models by the entry point group `lmms_eval.models`. Copy this file into a package of
your own and name `manifest` in its pyproject.toml:

    [project.entry-points."lmms_eval.models"]
    headwise = "my_package.lmms_eval_sav:manifest"

    python -m lmms_eval --model headwise --model_args artifact=DIR --tasks TASK

It fits tasks of the type `multiple_choice` or `loglikelihood` whose choices are the classifier's
classes for every document. (For reward models use `headwise bench`: lmms-eval's reward tasks parse
what a judge writes.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from lmms_eval.api.model import lmms
from lmms_eval.models.registry_v2 import ModelManifest

from headwise.errors import EngineError, InputError
from headwise.examples import Example
from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier


class HeadwiseLMMS(lmms):
    """Answers `loglikelihood` with a classifier's probabilities, and nothing else.

    Args:
        artifact: Folder or Hub id of a classifier; fit it on contexts as the task writes them.
        device: Where its model runs; see `headwise.load`.
        batch_size: Taken because the harness gives it; headwise batches by tokens itself.
    """

    is_simple = True

    def __init__(self, artifact: str, device: str | None = None, batch_size: int | str = 1) -> None:
        super().__init__()
        self.fitted = SparseAttentionClassifier.from_pretrained(artifact, device=device)

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """The log-probability of each request's choice, and whether it is the likeliest class."""
        choices, examples = [], []
        for context, target, to_visual, doc_id, task, split in (one.args for one in requests):
            document = self.task_dict[task][split][doc_id]
            choice = (target if isinstance(target, str) else target(document)).strip()
            if choice not in self.fitted.classes:
                known = ", ".join(self.fitted.classes)
                raise InputError(f"The choice {choice!r} is none of the classes: {known}.")
            choices.append(self.fitted.classes.index(choice))
            examples.append(Example(context, images=tuple(to_visual(document) or ())))
        # A document is asked about once for each choice, and run once.
        first = {example.key: example for example in examples}
        found = self.fitted.predict_proba(list(first.values()), progress=True)
        rows = dict(zip(first, found, strict=True))
        answers = []
        for example, choice in zip(examples, choices, strict=True):
            row = rows[example.key]
            logprob = float(np.log(max(float(row[choice]), np.finfo(np.float64).tiny)))
            answers.append((logprob, bool(row.argmax() == choice)))
        return answers

    def generate_until(self, requests: Sequence[Any]) -> Any:
        """Refused: a classifier writes nothing."""
        raise EngineError("A headwise classifier only chooses among its classes.")

    def generate_until_multi_round(self, requests: Sequence[Any]) -> Any:
        """Refused: a classifier writes nothing."""
        raise EngineError("A headwise classifier only chooses among its classes.")


def manifest() -> ModelManifest:
    """What lmms-eval registers."""
    return ModelManifest("headwise", simple_class_path=f"{__name__}.HeadwiseLMMS")
