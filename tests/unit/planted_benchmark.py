"""A benchmark and methods whose figures are known, for tests of evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headwise.engines.base import ModelFingerprint
from headwise.errors import EngineError
from headwise.evaluation.contenders import Contender
from headwise.evaluation.items import (
    Benchmark,
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
from headwise.methods.answers import Answered, Answers

CLASSES = ("cat", "dog")


class PlantedEngine:
    """An engine that is only known by its name."""

    fingerprint = ModelFingerprint("planted", None, "Planted", "a", "b", "c", "float32")

    def capture(self, *args: object, **options: object) -> Any:
        raise AssertionError("Planted methods ask no model.")

    token_logprobs = mask_losses = generate = truncate = layout = capture


@dataclass(frozen=True)
class PlantedBenchmark:
    """Scores by the mean over items, and by split."""

    task: Task = "classes"

    @property
    def header(self) -> Header:
        return Header(
            name="planted",
            title="Planted",
            task=self.task,
            dataset="planted/data",
            split="test",
            licence="none",
            fields={"text": "what is asked"},
            scoring="The mean over items.",
            paper="none",
        )

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        return [QuestionItem(str(r["id"]), Example(str(r["text"]))) for r in rows]

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        scores = [score_of(i, o) for i, o in zip(items, outputs, strict=True)]
        found = [Measure("accuracy", float(np.mean(scores)), len(scores))]
        for split in dict.fromkeys(item.split for item in items):
            own = [s for i, s in zip(items, scores, strict=True) if i.split == split]
            found.append(Measure("accuracy", float(np.mean(own)), len(own), split))
        return found


def question(number: int, **options: Any) -> QuestionItem:
    label = CLASSES[number % 2]
    given = {"options": CLASSES, "split": "even" if number % 4 < 2 else "odd", **options}
    return QuestionItem(f"q{number}", Example(f"question {number}", label), **given)


def questions(n: int) -> list[Item]:
    return [question(number) for number in range(n)]


def rewards(n: int) -> list[Item]:
    return [
        RewardItem(
            f"r{n}", f"prompt {n}", (f"good {n}", f"bad {n}"), split="even" if n % 2 == 0 else "odd"
        )
        for n in range(n)
    ]


class PlantedClassifier:
    """Right unless the number in the text is divisible by `wrong_every`."""

    classes = CLASSES

    def __init__(self, wrong_every: int, confidence: float = 0.75) -> None:
        self.wrong_every = wrong_every
        self.confidence = confidence

    def predict_proba(self, examples: Sequence[Any], *, progress: bool = False) -> Any:
        rows = []
        for example in examples:
            number = int(example.text.split()[-1])
            right = number % 2 if number % self.wrong_every else 1 - number % 2
            rows.append([self.confidence if c == right else 1 - self.confidence for c in (0, 1)])
        return np.array(rows)

    def predict(self, examples: Sequence[Any], *, progress: bool = False) -> list[str]:
        return [CLASSES[row.argmax()] for row in self.predict_proba(examples)]


class PlantedAnswerer:
    """Answers with what stands in a table, else with nothing."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = answers

    def answer(self, examples: Sequence[Example], *, progress: bool = False) -> Answers:
        found = [self.answers.get(example.text) for example in examples]
        return Answers(tuple(Answered(text, str(text)) for text in found), len(found))


class PlantedRewarder:
    """Likes what its support calls good; of unknown words it likes long ones."""

    def __init__(self, liked: set[str]) -> None:
        self.liked = liked
        self.calls: list[list[str]] = []

    def score(
        self,
        prompts: Sequence[Any],
        responses: Sequence[Any],
        images: Any = None,
        *,
        progress: bool = False,
    ) -> Any:
        assert len(prompts) == len(responses) == len(images)
        self.calls.append(list(responses))
        return np.array([float(r.split()[0] in self.liked) for r in responses])

    def margins(self, preferences: Sequence[Preference], *, progress: bool = False) -> Any:
        raise AssertionError("An evaluation scores responses.")


@dataclass
class PlantedMethod:
    """Fits to what it was told to fit to, and remembers what it was shown."""

    fitted: Callable[[Sequence[Any]], Any]
    shown: list[tuple[Any, ...]]

    def fit(self, engine: Any, support: Sequence[Any], *, progress: bool = False) -> Any:
        self.shown.append(tuple(support))
        return self.fitted(support)


def contender(
    name: str, fitted: Callable[[Sequence[Any]], Any], **options: Any
) -> tuple[Contender, list[tuple[Any, ...]]]:
    """A contender, and the list of supports that it was fitted on."""
    shown: list[tuple[Any, ...]] = []
    return Contender(name, lambda seed: PlantedMethod(fitted, shown), **options), shown


def classifier(name: str, wrong_every: int, **options: Any) -> Contender:
    return contender(name, lambda support: PlantedClassifier(wrong_every), **options)[0]


def zero_shot(name: str, wrong_every: int) -> Contender:
    return classifier(name, wrong_every, role="baseline", uses_support=False, uses_seed=False)


def failing(name: str) -> Contender:
    def fail(support: Sequence[Any]) -> Any:
        raise EngineError("the prompt does not fit the context")

    return contender(name, fail)[0]


def benchmark(task: Task = "classes") -> Benchmark:
    return PlantedBenchmark(task)
