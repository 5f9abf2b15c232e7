"""A person's own data as a benchmark: preference pairs, classes, or questions with answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headwise.errors import InputError
from headwise.evaluation.items import (
    Header,
    Item,
    Measure,
    Output,
    QuestionItem,
    RewardItem,
    Task,
)
from headwise.evaluation.outputs import score_of
from headwise.examples import Example, Preference
from headwise.jobs import encode_rows, plain_row
from headwise.readers import Source, SourceLike, open_source, read_examples, read_preferences

_RULES: Mapping[Task, str] = {
    "rewards": "The share of pairs in which the chosen response has the higher reward; a tie is "
    "half.",
    "classes": "The share of items whose class is the labelled one.",
    "answers": "The share of answers that equal the label, case, blanks and a full stop aside.",
}
_FIELDS: Mapping[Task, Mapping[str, str]] = {
    "rewards": {"prompt": "text or chat messages", "chosen": "text", "rejected": "text"},
    "classes": {"text": "the input", "label": "its class"},
    "answers": {"text": "the question", "label": "its answer"},
}
_SPLITS = ("split", "subset")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what; None for the first of the usual names.

    Args:
        text: The input or question.
        label: The class or answer.
        image: The pictures.
        prompt: The prompt of a pair.
        chosen: Its better response.
        rejected: Its worse response.
    """

    text: str | None = None
    label: str | None = None
    image: str | None = None
    prompt: str | None = None
    chosen: str | None = None
    rejected: str | None = None


@dataclass(frozen=True, slots=True)
class OwnData:
    """A benchmark of one's own data.

    Args:
        name: What to call it, such as the file's name.
        task: What is asked of a method.
        columns: Which columns hold what.
    """

    name: str
    task: Task
    columns: Columns = Columns()

    @property
    def header(self) -> Header:
        """What it is."""
        return Header(
            name=self.name,
            title=self.name,
            task=self.task,
            dataset=self.name,
            split="all",
            licence="",
            fields=_FIELDS[self.task],
            scoring=_RULES[self.task],
            paper="",
        )

    def read(self, source: SourceLike, *, skip_bad: bool = False, name: str = "row") -> list[Item]:
        """Reads items; parts are told by a column `split` or `subset`, if there is one.

        Args:
            source: A file, a folder of pictures or a Hub dataset; see `open_source`.
            skip_bad: Whether to go on without bad rows.
            name: What items without an id are called, before their number.

        Returns:
            The items. Classes are those that occur; splits that share no class are tasks of their
            own, whose items have their own classes to choose from.

        Raises:
            InputError: The source cannot be read, or a row is bad; names it.
        """
        at = self.columns
        if self.task == "rewards":
            pairs = read_preferences(
                source,
                prompt=at.prompt,
                chosen=at.chosen,
                rejected=at.rejected,
                image=at.image,
                skip_bad=skip_bad,
            )
            ids = _distinct([p.id or f"{name}-{n}" for n, p in enumerate(pairs.items, 1)])
            return [_pair(*one) for one in zip(ids, pairs.items, strict=True)]
        examples = read_examples(
            source, text=at.text, label=at.label, image=at.image, skip_bad=skip_bad
        )
        ids = _distinct([e.id or f"{name}-{n}" for n, e in enumerate(examples.items, 1)])
        classes = _classes_by_split(examples.items) if self.task == "classes" else {}
        for options in classes.values():
            if len(options) < 2:
                raise InputError(
                    f"{self.name} has one class only ({options[0]!r}). For questions with free "
                    "answers use --task answers."
                )
        return [_question(*one, classes) for one in zip(ids, examples.items, strict=True)]

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Rows as items; see `read` and `Benchmark.items`. Pictures are named by their paths."""
        content = encode_rows(plain_row(row).values for row in rows)
        return self.read(Source(self.name, "jsonl", content=content))

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """The mean score over all items, and of each split where there are several."""
        if not items or len(items) != len(outputs):
            raise InputError(f"There are {len(items)} items and {len(outputs)} outputs.")
        scores = [score_of(item, output) for item, output in zip(items, outputs, strict=True)]
        name = "pair accuracy" if self.task == "rewards" else "accuracy"
        found = [Measure(name, float(np.mean(scores)), len(scores))]
        of_split: dict[str, list[float]] = {}
        for item, score in zip(items, scores, strict=True):
            of_split.setdefault(item.split, []).append(score)
        if len(of_split) > 1:
            found += [Measure(name, float(np.mean(s)), len(s), k) for k, s in of_split.items()]
        return found


def own_data(source: SourceLike, task: Task, columns: Columns | None = None) -> OwnData:
    """The benchmark of a file, called by the file's name.

    Args:
        source: The file.
        task: What is asked of a method.
        columns: Which columns hold what.

    Returns:
        The benchmark; `read` gives its items.
    """
    name = open_source(source).name.rstrip("/").rpartition("/")[2]
    return OwnData(name, task, columns or Columns())


def _pair(name: str, pair: Preference) -> RewardItem:
    responses = (pair.chosen, pair.rejected)
    return RewardItem(name, pair.prompt, responses, split=pair.split or "all", images=pair.images)


def _question(name: str, example: Example, classes: Mapping[str, tuple[str, ...]]) -> QuestionItem:
    split = _split_of(example)
    return QuestionItem(name, example, classes.get(split, ()), split=split)


def _split_of(example: Example) -> str:
    return next(filter(None, map(example.fields.get, _SPLITS)), None) or "all"


def _classes_by_split(examples: Sequence[Example]) -> dict[str, tuple[str, ...]]:
    """The classes of each split; those of splits that share any are put together."""
    found: dict[str, set[str]] = {}
    for example in examples:
        found.setdefault(_split_of(example), set()).add(str(example.label))
    for split in found:
        whole = found[split]
        sharing = [other for other in found if found[other] & whole]
        # Until nothing is added: a split may share with another only by way of a third.
        while any(not found[other] <= whole for other in sharing):
            whole = whole.union(*(found[other] for other in sharing))
            sharing = [other for other in found if found[other] & whole]
        for other in sharing:
            found[other] = whole
    return {split: tuple(sorted(classes)) for split, classes in found.items()}


def _distinct(names: Sequence[str]) -> list[str]:
    """Names of which none is there twice: those that are get a number."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found
