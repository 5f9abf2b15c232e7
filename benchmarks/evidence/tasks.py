"""Classification tasks from data that ships, as benchmarks: five on text, one on drawn scenes.

Whether one answer is right, the plainest task that these data give, is not among them: the embedded
model of 135M parameters does not know, so that every method is at chance and none can be told from
another. What kind of place a name is and whether the words of a message are in order were chosen in
its place because most methods lie between chance and ceiling there; neither was chosen, nor worded,
by which method is ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headwise.content import as_image
from headwise.data import (
    Fact,
    biased_preferences,
    load_capitals,
    load_facts,
    load_topics,
    plain_preferences,
)
from headwise.data.pairs import BIASES
from headwise.errors import InputError
from headwise.evaluation.items import Header, Item, Measure, Output, QuestionItem
from headwise.examples import Example
from headwise.scenes import QUESTION_KINDS, SHAPES, SceneSampler, questions, render

_SEED = 9_700_000
N_SCENES = 400


@dataclass(frozen=True, slots=True)
class ShippedTask:
    """A classification task whose items ship with headwise or are drawn by it.

    Args:
        name: Its name.
        title: What is told apart, for tables.
        make: Makes its items.
        images: Whether it has pictures.
    """

    name: str
    title: str
    make: Callable[[], list[Item]]
    images: bool = False

    @property
    def header(self) -> Header:
        """What it is."""
        return Header(
            name=self.name,
            title=self.title,
            task="classes",
            dataset="ships with headwise",
            split="all",
            licence="Apache-2.0",
            fields={"text": "the question put to the model", "label": "the class"},
            scoring="Accuracy.",
            paper="none",
            images=self.images,
        )

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Refused: the items are made, not read."""
        raise InputError(f"{self.name} makes its own items; it reads no rows ({len(rows)} given).")

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Accuracy."""
        right = [
            isinstance(item, QuestionItem) and output.answer == item.example.label
            for item, output in zip(items, outputs, strict=True)
        ]
        return [Measure("accuracy", float(np.mean(right)), len(right))]


def topics() -> list[Item]:
    """Support messages of five topics."""
    return _items(
        (f"Customer message: {one.text}\nWhat is the message about?", one.label or "")
        for one in load_topics()
    )


def places() -> list[Item]:
    """Names of countries, their capitals and other towns."""
    rows = load_capitals()
    told = {city_of(fact.wrong): "town" for fact in rows}
    # Some capital is the wrong town of a neighbour.
    told |= {city_of(fact.right): "capital" for fact in rows}
    told |= {country_of(fact): "country" for fact in rows}
    return _items(
        (f"Place: {name}\nIs it a country, a capital or a town?", kind)
        for name, kind in told.items()
    )


def message_orders() -> list[Item]:
    """Support messages with their words in order, two neighbours swapped, or all shuffled."""
    return _ordered((one.text for one in load_topics()), "messages")


def fact_orders() -> list[Item]:
    """Statements of common knowledge, disordered likewise."""
    return _ordered((fact.right for fact in load_facts()), "facts")


def tones() -> list[Item]:
    """How an answer is told: plainly, or with one of three biases."""
    told = [("plain", pair) for pair in plain_preferences(load_facts()[:60])]
    for bias in BIASES:
        told += [(bias, pair) for pair in biased_preferences(load_facts()[:60], bias, 1)]
    return _items(
        (f"Answer: {pair.rejected}\nIn which tone is this answer written?", name)
        for name, pair in told
    )


def asked_kinds() -> list[Item]:
    """What a question about a picture asks about."""
    random, sampler = np.random.default_rng(_SEED), SceneSampler()
    found: dict[str, str] = {}
    while len(found) < N_SCENES:
        scene = sampler.draw(random)
        for kind in QUESTION_KINDS:
            if kind not in ("composition", "conflict"):
                asked = questions(scene, random, (kind,))
                if asked:
                    found[asked[int(random.integers(len(asked)))].text] = kind
    return _items(
        (f"Question: {text}\nWhich kind of question is this?", kind) for text, kind in found.items()
    )


def scene_shapes() -> list[Item]:
    """The shape of the only object of a drawn picture."""
    random, sampler = np.random.default_rng(_SEED + 1), SceneSampler(most_objects=1)
    found: list[Item] = []
    for number in range(N_SCENES):
        scene = sampler.draw(random)
        shape = scene.objects[0].shape
        example = Example("What shape is in the image?", shape, images=(as_image(render(scene)),))
        found.append(QuestionItem(f"scene:{number}", example, options=SHAPES))
    return found


TASKS = {
    task.name: task
    for task in (
        ShippedTask("topics", "topic of a support message (5)", topics),
        ShippedTask("places", "country, capital or town (3)", places),
        ShippedTask("orders", "order of a message's words (3)", message_orders),
        ShippedTask("tones", "tone of an answer (4)", tones),
        ShippedTask("asked-kinds", "what a question asks about (6)", asked_kinds),
        ShippedTask("scene-shapes", "shape in a drawn picture (10)", scene_shapes, images=True),
    )
}
"""All tasks by name."""


def country_of(fact: Fact) -> str:
    """The country of a fact on a capital."""
    return fact.question.removeprefix("What is the capital of ").rstrip("?")


def city_of(answer: str) -> str:
    """The city that an answer says is a capital."""
    return answer.rsplit(" is ", 1)[1].rstrip(".")


def _ordered(texts: Iterable[str], split: str) -> list[Item]:
    random = np.random.default_rng(_SEED + 2)
    kinds = ("natural", "swapped", "shuffled")
    told = []
    # One version of each text: two of the same could be learned from and scored.
    for number, text in enumerate(texts):
        words, kind = text.split(), kinds[number % len(kinds)]
        if kind == "swapped":
            place = int(random.integers(len(words) - 1))
            words[place : place + 2] = words[place + 1], words[place]
        if kind == "shuffled":
            words = [words[k] for k in random.permutation(len(words))]
        told.append((f"Sentence: {' '.join(words)}\nIn which order are its words?", kind))
    return _items(told, split)


def _items(asked: Iterable[tuple[str, str]], split: str = "all") -> list[Item]:
    told = list(dict.fromkeys(asked))
    options = tuple(sorted({label for _, label in told}))
    return [
        QuestionItem(f"{split}:{number}", Example(text, label), options=options, split=split)
        for number, (text, label) in enumerate(told)
    ]
