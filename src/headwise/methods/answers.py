"""What answering questions gives: the same for compositional chain of thought and its baselines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, overload

from headwise.engines.usage import Usage
from headwise.examples import Example
from headwise.graphs import GraphReading, count_statuses


@dataclass(frozen=True, slots=True)
class Answered:
    """One question, answered.

    Args:
        answer: The answer, as its format has it; None where the model's text holds none.
        text: What the model wrote in the call that answers.
        written: What it wrote before: the scene graph, a caption, thoughts; None without such.
        graph: `written` read as a scene graph; None where it is to be none.
        from_cache: Whether `written` was there already, and took no call.
    """

    answer: str | None
    text: str
    written: str | None = None
    graph: GraphReading | None = None
    from_cache: bool = False


@dataclass(frozen=True, slots=True)
class Answers(Sequence[Answered]):
    """The answers to some questions, and what they took.

    Args:
        items: One for each question, in order.
        n_calls: Prompts that the model was given.
        usage: Tokens that it read and wrote; None where the engine does not count them.
    """

    items: tuple[Answered, ...]
    n_calls: int
    usage: Usage | None = None

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Answered]:
        return iter(self.items)

    @overload
    def __getitem__(self, position: int) -> Answered: ...

    @overload
    def __getitem__(self, position: slice) -> tuple[Answered, ...]: ...

    def __getitem__(self, position: int | slice) -> Answered | tuple[Answered, ...]:
        return self.items[position]

    @property
    def texts(self) -> list[str | None]:
        """The answers alone."""
        return [item.answer for item in self.items]

    @property
    def n_unread(self) -> int:
        """How many texts hold no answer of the format."""
        return sum(item.answer is None for item in self.items)

    @property
    def graph_counts(self) -> dict[str, int]:
        """How many graphs were `"parsed"`, `"repaired"`, and used as `"text"`."""
        return count_statuses(item.graph for item in self.items if item.graph is not None)


class Answerer(Protocol):
    """What answers questions: a method or a baseline."""

    def answer(self, examples: Sequence[Example], *, progress: bool = False) -> Answers:
        """Answers questions.

        Args:
            examples: `n` questions with their images; labels are ignored.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` answers.
        """
        ...
