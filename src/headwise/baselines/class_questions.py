"""What classifiers that ask the model have in common: classes, prompts, worked examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headwise.engines.base import Engine
from headwise.examples import Example, ExampleLike, labels_of
from headwise.methods.sparse_attention_classifier import shortened
from headwise.methods.truncation import TextCutter, cutter_of
from headwise.prompts.class_choice import ClassChoicePrompt
from headwise.prompts.conversation import Conversation


def classes_of(examples: Sequence[Example]) -> tuple[str, ...]:
    """The classes of a support set, sorted, as every classifier has them.

    Raises:
        InputError: No examples, one without label, or one class only.
    """
    return tuple(sorted(set(labels_of(examples))))


@dataclass(frozen=True, eq=False)
class ClassQuestions:
    """Puts examples to a model as the question which class they are of.

    Args:
        engine: The model.
        prompt: How it is asked.
        max_text_tokens: Longer texts are cut in the middle, where the engine knows tokens.
        shots: Worked examples before each question, in order, cut already.
    """

    engine: Engine
    prompt: ClassChoicePrompt
    max_text_tokens: int
    shots: tuple[Example, ...] = ()

    def conversations(self, examples: Sequence[ExampleLike]) -> list[Conversation]:
        """The conversations of examples; labels are ignored.

        Raises:
            InputError: An example lacks a column that the instruction asks for.
        """
        cutter = cutter_of(self.engine, self.max_text_tokens)
        shown = shortened(examples, self.prompt.instruction, cutter)
        cutter.report("texts", "max_text_tokens")
        return [self.prompt.with_shots(self.shots, example) for example in shown]


def shortened_with_labels(
    examples: Sequence[Example], instruction: str, cutter: TextCutter
) -> list[Example]:
    """Worked examples as the model gets to see them, cut to the budget, with their labels."""
    shown = shortened(examples, instruction, cutter)
    return [replace(s, label=e.label) for s, e in zip(shown, examples, strict=True)]
