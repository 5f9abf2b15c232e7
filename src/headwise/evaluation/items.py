"""What an evaluation asks, what came back, and what it measures: the nouns of this stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from headwise.content import Image
from headwise.errors import InputError
from headwise.examples import Example, Prompt, Response

Task = Literal["rewards", "classes", "answers"]
"""What is asked of a method: to score responses, to pick a class, or to answer in free text."""


@dataclass(frozen=True, slots=True)
class RewardItem:
    """A prompt with responses to score; all of them are scored by one reward model.

    Args:
        id: Its name, unique in the benchmark.
        prompt: The prompt.
        responses: The responses; the first `n_right` are right, the others wrong.
        n_right: How many of them are right.
        split: The part of the benchmark it belongs to.
        group: What items that are scored together have in common.
        images: Pictures of the prompt.
        tags: Whatever else the scoring rule needs, such as `{"style": "markdown"}`.
    """

    id: str
    prompt: Prompt
    responses: tuple[Response, ...]
    n_right: int = 1
    split: str = "all"
    group: str | None = None
    images: tuple[Image, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.n_right <= len(self.responses):
            raise InputError(
                f"Of {len(self.responses)} responses to {self.id!r}, n_right={self.n_right} can't "
                "be right; give 1 at least and not more than there are."
            )


@dataclass(frozen=True, slots=True)
class QuestionItem:
    """A question with a right answer.

    Args:
        id: Its name, unique in the benchmark.
        example: The question; its label is the right answer.
        options: What may be answered; empty where the answer is free text.
        references: All answers that count as right, such as those of ten people.
        split: The part of the benchmark it belongs to.
        group: What items that are scored together have in common.
        tags: Whatever else the scoring rule needs.
    """

    id: str
    example: Example
    options: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    split: str = "all"
    group: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


Item = RewardItem | QuestionItem


@dataclass(frozen=True, slots=True)
class Output:
    """What a method gave for an item.

    Args:
        id: The item.
        rewards: One a response, of a `RewardItem`.
        answer: The answer of a `QuestionItem`; None where none could be read.
        probabilities: Of the options, where the method gives them.
    """

    id: str
    rewards: tuple[float, ...] = ()
    answer: str | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a run.

    Args:
        name: What is measured, such as `"accuracy"`.
        value: The figure, usually a share between 0 and 1.
        n: Of how many items or groups.
        split: Of which part; `"all"` for the figure over everything.
    """

    name: str
    value: float
    n: int
    split: str = "all"


@dataclass(frozen=True, slots=True)
class Header:
    """What a benchmark is, for people and for `headwise bench list`.

    Args:
        name: Its name on the command line, such as `"rewardbench-2"`.
        title: Its name in papers.
        task: What is asked of a method.
        dataset: The id of its data on the Hub.
        revision: The revision that was meant when this was written; None where it is unknown.
        split: The split that is scored.
        licence: Of the data.
        fields: The columns that are read, and what each holds.
        scoring: The rule, in a sentence or two.
        paper: Where it was published.
        images: Whether it has pictures.
        support: The split that support examples come from; None where they are taken out of the
            scored one and never scored.
        configs: The configurations on the Hub whose rows make it up; empty where there is one only.
        files: The data files, in the Hub's repository or in a local folder, that make it up; empty
            where its split says it.
        source: Where the data is had, where that is not the Hub.
        judge: Whether its score takes a model that rates answers: `judged_by(engine)`.
        checked: Whether the columns were compared with the published data or official code when
            this was written; else they are found by their usual names.
        notes: What else there is to know: deviations, and what was not checked.
    """

    name: str
    title: str
    task: Task
    dataset: str
    split: str
    licence: str
    fields: Mapping[str, str]
    scoring: str
    paper: str
    revision: str | None = None
    images: bool = False
    support: str | None = None
    configs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    source: str = ""
    judge: bool = False
    checked: bool = True
    notes: str = ""


class Benchmark(Protocol):
    """Data with a scoring rule."""

    @property
    def header(self) -> Header:
        """What it is."""

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Rows of the data set, as the Hub or a local file gives them, as items.

        Raises:
            InputError: A row lacks a column or holds what can't be; names the row.
        """

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """The official figures; the first is the headline. `outputs` are in the order of `items`.

        Raises:
            InputError: An item has no output, or one without what the rule needs.
        """
