"""`HeadwiseUDF`: a fitted artifact over a Ray data set, many copies side by side.

Ray itself is not imported: the class is what `Dataset.map_batches` takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwise.content import Image
from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Prompt
from headwise.integrations.tables import Columns, Table, examples_of_table
from headwise.methods.load import from_pretrained
from headwise.methods.reward_model import RewardModel
from headwise.methods.rewards import Rewards
from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier
from headwise.prompts.template import places

Batch = Mapping[str, NDArray[Any]]
"""A batch as Ray gives it: arrays of one length by column, not to be written to."""


class HeadwiseUDF:
    """Adds columns to batches: `prediction` and `probability`, or `reward`.

    Loads the artifact and its language model once a worker:

        dataset.map_batches(
            HeadwiseUDF,
            fn_constructor_kwargs={"artifact": "topics"},
            batch_size=64,
            compute=ray.data.ActorPoolStrategy(size=4),
            num_gpus=1,
        )

    Args:
        artifact: Folder or Hub id of a classifier or a reward model, or a folder of `Rewards`.
            Every worker reads it.
        text_column: The column for `{text}`; of a classifier. Every other place of its instruction
            is a column of that name.
        prompt_column: The column of prompts, texts or chat messages; of a reward model.
        response_column: The column of responses, texts.
        image_column: The column of pictures: encoded bytes, arrays of pixels, or paths that each
            worker can read; None where there are none.
        device: Where the language model runs; a GPU where Ray gives the worker one.
        dtype: What it is loaded as.
        engine: A loaded engine instead of the two; not through Ray, which would send it around.

    Raises:
        ArtifactError: The artifact is missing or damaged, or for another model.
        InputError: It is neither a classifier nor a reward model.
    """

    def __init__(
        self,
        artifact: str,
        *,
        text_column: str = "text",
        prompt_column: str = "prompt",
        response_column: str = "response",
        image_column: str | None = None,
        device: str | None = None,
        dtype: str | None = None,
        engine: Engine | None = None,
    ) -> None:
        fitted = from_pretrained(artifact, engine=engine, device=device, dtype=dtype)
        if not isinstance(fitted, SparseAttentionClassifier | RewardModel | Rewards):
            raise InputError(
                f"{artifact} was made by '{fitted.method}'; HeadwiseUDF takes a classifier or a "
                "reward model."
            )
        self.fitted = fitted
        self.text_column = text_column
        self.prompt_column = prompt_column
        self.response_column = response_column
        self.image_column = image_column

    def __call__(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """A batch with what the artifact says of its rows.

        Args:
            batch: Columns of `n` rows.

        Returns:
            The same columns, the arrays themselves, and of a classifier `prediction`, `(n,)` class
            names, and `probability`, `(n,)` float64, that of the predicted class; of a reward model
            `reward`, `(n,)` float64. In the ranked form all responses to a prompt must be in one
            batch (`groupby(...).map_groups`).

        Raises:
            InputError: A column is missing, or is there already that would be added; or a row
                cannot be read; names it.
        """
        lengths = {len(values) for values in batch.values()}
        table = Table("the batch", tuple(batch), max(lengths, default=0), batch.__getitem__)
        if isinstance(self.fitted, RewardModel | Rewards):
            return _joined(batch, {"reward": self._rewards(self.fitted, table)})
        columns = Columns(
            self.text_column, self.image_column, places(self.fitted.prompt.instruction)
        )
        probabilities = self.fitted.predict_proba(examples_of_table(table, columns))
        likeliest = probabilities.argmax(axis=1)
        return _joined(
            batch,
            {
                "prediction": np.array(self.fitted.classes, dtype=object)[likeliest],
                "probability": probabilities[np.arange(len(likeliest)), likeliest],
            },
        )

    def _rewards(self, fitted: RewardModel | Rewards, table: Table) -> NDArray[np.float64]:
        prompts = [_prompt(value) for value in table.column(self.prompt_column)]
        images: Sequence[tuple[Image, ...]] | None = None
        if self.image_column is not None:
            images = table.images(self.image_column)
        return fitted.score(prompts, table.texts(self.response_column), images)


def _prompt(value: Any) -> Prompt:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Sequence | np.ndarray):
        return [dict(turn) for turn in value]
    raise InputError(f"A prompt is text or a list of chat messages; got {type(value).__name__}.")


def _joined(batch: Batch, added: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    taken = [name for name in added if name in batch]
    if taken:
        raise InputError(
            f"The batch has a column {taken[0]!r} already, which would be lost; rename it first."
        )
    return {**batch, **added}
