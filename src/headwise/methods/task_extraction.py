"""The in-context prompts whose mean activations stand for a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headwise.errors import InputError
from headwise.examples import Example
from headwise.prompts.conversation import Conversation
from headwise.prompts.in_context import InContextPrompt


@dataclass(frozen=True, slots=True)
class DrawnPrompts:
    """In-context prompts drawn from examples.

    Args:
        conversations: The prompts.
        most_shots: Worked examples in the longest of them.
        seen: Positions of the examples that occur in any of them, ascending.
    """

    conversations: tuple[Conversation, ...]
    most_shots: int
    seen: tuple[int, ...]


def draw_prompts(
    prompt: InContextPrompt, examples: Sequence[Example], shots: int, n_prompts: int, seed: int
) -> DrawnPrompts:
    """Draws prompts that show some examples and ask another one.

    Every example is asked equally often, as nearly as their number allows. An example whose text
    and pictures are those of the one asked is never shown, for it would give the answer away.

    Args:
        prompt: How examples are put to the model.
        examples: Labelled examples, of which two inputs at least differ.
        shots: Worked examples a prompt; fewer where there are not so many.
        n_prompts: How many prompts.
        seed: Seed of the draw.

    Returns:
        The prompts.

    Raises:
        InputError: The examples do not make an in-context prompt; see `check_task_examples`.
    """
    check_task_examples(examples)
    random = np.random.default_rng(seed)
    passes = [random.permutation(len(examples)) for _ in range(-(-n_prompts // len(examples)))]
    queries = np.concatenate(passes)[:n_prompts].tolist()
    conversations = []
    most, seen = 0, set(queries)
    for query in queries:
        others = [row for row, e in enumerate(examples) if e.key != examples[query].key]
        shown = random.permutation(others)[:shots].tolist()
        conversations.append(prompt.with_shots([examples[i] for i in shown], examples[query]))
        most = max(most, len(shown))
        seen.update(shown)
    return DrawnPrompts(tuple(conversations), most, tuple(sorted(seen)))


def check_task_examples(examples: Sequence[Example]) -> None:
    """Checks that examples can show a task.

    Raises:
        InputError: One has no label, or there are not two with different inputs.
    """
    for number, example in enumerate(examples):
        if example.label is None:
            raise InputError(
                f"Example {number} ({example.shown}) has no label; a task vector is made of "
                "inputs with the answers they should have."
            )
    if not has_two_inputs(examples):
        what = "texts or images" if any(e.images for e in examples) else "texts"
        raise InputError(
            f"A task vector needs two examples with different {what} at least, one to show and one "
            f"to ask; got {len(examples)} examples with {len({e.key for e in examples})} {what}."
        )


def has_two_inputs(examples: Sequence[Example]) -> bool:
    """Whether each example has another input, text and pictures, that can be shown before it."""
    return len({example.key for example in examples}) > 1
