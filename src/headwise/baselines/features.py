"""What probes and neighbours look at: all heads of the last token, or its last hidden state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from headwise.engines.base import Engine
from headwise.engines.open_model import HiddenStateEngine
from headwise.errors import EngineError, InputError
from headwise.examples import ExampleLike
from headwise.methods.sparse_attention_classifier import prepare
from headwise.methods.truncation import TextCutter, check_budget
from headwise.prompts.classification import ClassificationPrompt
from headwise.prompts.conversation import Conversation

Features = Literal["heads", "hidden"]
"""The outputs of all attention heads side by side, or the last hidden state after its norm."""


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """Which features of examples are looked at, and how these are put to the model.

    Args:
        features: Which.
        instruction: The user's turn, as `SparseAttentionVectors` has it.
        system: A system turn before it.
        max_text_tokens: Longer texts are cut in the middle, counted and reported.

    Raises:
        InputError: A parameter is out of range.
    """

    features: Features = "heads"
    instruction: str = "{text}"
    system: str | None = None
    max_text_tokens: int = 2_048

    def __post_init__(self) -> None:
        if self.features not in get_args(Features):
            raise InputError(f"features is 'heads' or 'hidden'; got {self.features!r}.")
        check_budget(self.max_text_tokens)
        ClassificationPrompt(self.instruction, self.system)

    def of(
        self, engine: Engine, examples: Sequence[ExampleLike], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """The features of examples; one pass each.

        Args:
            engine: The model.
            examples: `n` examples, texts or pictures (see `as_example`).
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n, width)` float64.

        Raises:
            InputError: An example lacks a column that the instruction asks for.
            EngineError: The engine does not show these features.
        """
        cutter = TextCutter(engine, self.max_text_tokens)
        prompt = ClassificationPrompt(self.instruction, self.system)
        conversations = prepare(examples, prompt, cutter)
        cutter.report("texts", "max_text_tokens")
        return read_features(engine, conversations, self.features, progress=progress)


def read_features(
    engine: Engine,
    conversations: Sequence[Conversation],
    features: Features,
    *,
    progress: bool = False,
) -> NDArray[np.float64]:
    """Features of the last token of conversations.

    Args:
        engine: The model.
        conversations: `n` conversations.
        features: Which features.
        progress: Whether to show a progress bar on stderr.

    Returns:
        `(n, width)` float64.

    Raises:
        EngineError: The engine does not show these features.
    """
    if features == "heads":
        activations = engine.capture(conversations, progress=progress)
        found = torch.cat([layer.flatten(1) for layer in activations.values], dim=1)
    elif isinstance(engine, HiddenStateEngine):
        found = engine.hidden_states(conversations, progress=progress)
    else:
        raise EngineError(
            f"{type(engine).__name__} shows no hidden states; the transformers engine "
            "(headwise.load) does."
        )
    return found.double().numpy()
