"""What a person brings: labelled examples and preference pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from headwise.errors import InputError

ChatMessages = Sequence[Mapping[str, object]]
"""Chat messages in the Hugging Face / OpenAI form: `[{"role": ..., "content": ...}, ...]`."""

Prompt = str | ChatMessages
"""A prompt as users have it: a string, or chat messages up to and including the user's turn."""


@dataclass(frozen=True, slots=True)
class Example:
    """One example of a task.

    Args:
        text: The input, such as the article to classify.
        label: The class name, or the text the model should answer; None where it is to be found.
        fields: Every further column that an instruction template may name, such as
            `{"question": ...}`.
        id: The user's own name of the example.

    Raises:
        InputError: The text or label is not a string, or the text is empty.
    """

    text: str
    label: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    id: str | None = None

    def __post_init__(self) -> None:
        _require_text("text", self.text)
        if self.label is not None:
            _require_text("label", self.label)


@dataclass(frozen=True, slots=True)
class Preference:
    """A prompt with a better and a worse response (TRL's column names).

    Args:
        prompt: A string, or chat messages up to the user's turn.
        chosen: The better response.
        rejected: The worse response.
        split: The part of a benchmark it belongs to.
        id: The user's own name of the pair.

    Raises:
        InputError: A response is not text, or the prompt is empty.
    """

    prompt: Prompt
    chosen: str
    rejected: str
    split: str | None = None
    id: str | None = None

    def __post_init__(self) -> None:
        _require_prompt(self.prompt)
        _require_response("chosen", self.chosen)
        _require_response("rejected", self.rejected)

    def judgements(self) -> tuple[Judgement, Judgement]:
        """The pair as two judged responses: the chosen one right, the rejected one wrong."""
        return Judgement(self.prompt, self.chosen, True), Judgement(
            self.prompt, self.rejected, False
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """One response judged good or bad on its own (TRL's unpaired preference).

    Args:
        prompt: A string, or chat messages up to the user's turn.
        completion: The response that is judged.
        label: Whether it meets the criterion; None where that is to be found.
        id: The user's own name of the row.

    Raises:
        InputError: The completion is not text, or the prompt is empty.
    """

    prompt: Prompt
    completion: str
    label: bool | None = None
    id: str | None = None

    def __post_init__(self) -> None:
        _require_prompt(self.prompt)
        _require_response("completion", self.completion)


@dataclass(frozen=True, slots=True)
class PreferenceReport:
    """What was odd about a set of preferences; reported to the user, never fatal.

    Args:
        n_pairs: Pairs looked at.
        duplicates: Pairs that repeat an earlier one.
        contradictions: Pairs whose reverse is there too.
        ties: Pairs whose chosen and rejected responses are the same text.
    """

    n_pairs: int
    duplicates: int
    contradictions: int
    ties: int

    @property
    def messages(self) -> tuple[str, ...]:
        """One sentence for each kind of oddity that occurs."""
        found = (
            (self.duplicates, "repeat an earlier pair"),
            (self.contradictions, "are contradicted by another pair that prefers the opposite"),
            (self.ties, "have the same text as chosen and rejected"),
        )
        return tuple(
            f"{count} of {self.n_pairs} preference pairs {what}." for count, what in found if count
        )


def check_preferences(preferences: Sequence[Preference]) -> PreferenceReport:
    """Counts duplicate, contradictory and tied pairs.

    Args:
        preferences: The pairs.

    Returns:
        The counts.
    """
    keys = [(prompt_key(p.prompt), p.chosen, p.rejected) for p in preferences]
    counts = Counter(keys)
    contradictions = sum((p, r, c) in counts and c != r for p, c, r in keys)
    return PreferenceReport(
        n_pairs=len(keys),
        duplicates=len(keys) - len(counts),
        contradictions=contradictions,
        ties=sum(c == r for _, c, r in keys),
    )


def labels_of(examples: Sequence[Example]) -> list[str]:
    """The labels of a support set, checked to be there and to be of two classes at least.

    Args:
        examples: The support set.

    Returns:
        One label an example.

    Raises:
        InputError: No examples, an example without label, or one class only.
    """
    if not examples:
        raise InputError(
            "The support set is empty; give at least one example of each of two classes."
        )
    labels = []
    for number, example in enumerate(examples):
        if example.label is None:
            raise InputError(f"Example {number} ({example.text[:40]!r}...) has no label.")
        labels.append(example.label)
    if len(set(labels)) < 2:
        raise InputError(
            f"The support set has one class only ({labels[0]!r}); a classifier needs examples of "
            "at least two."
        )
    return labels


def prompt_key(prompt: Prompt) -> str:
    """A string that is the same for the same prompt, for grouping and comparing prompts."""
    if isinstance(prompt, str):
        return prompt
    return "\x1e".join(f"{turn.get('role')}\x1f{turn.get('content')}" for turn in prompt)


def group_by_prompt(prompts: Iterable[Prompt]) -> list[list[int]]:
    """Row numbers grouped by equal prompt, groups and rows in order of appearance."""
    groups: dict[str, list[int]] = {}
    for row, prompt in enumerate(prompts):
        groups.setdefault(prompt_key(prompt), []).append(row)
    return list(groups.values())


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InputError(f"An example's {name} must be text; got {type(value).__name__}.")
    if not value.strip():
        raise InputError(f"An example's {name} is empty.")


def _require_response(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InputError(f"A preference's {name} must be text; got {type(value).__name__}.")


def _require_prompt(prompt: object) -> None:
    if isinstance(prompt, str):
        if not prompt.strip():
            raise InputError("A prompt is empty.")
        return
    if not isinstance(prompt, Sequence) or not prompt:
        raise InputError(
            "A prompt is a string or a non-empty list of chat messages; got "
            f"{type(prompt).__name__}."
        )
    for number, turn in enumerate(prompt):
        if not isinstance(turn, Mapping) or not {"role", "content"} <= set(turn):
            raise InputError(f"Turn {number} of a chat prompt must have 'role' and 'content'.")
