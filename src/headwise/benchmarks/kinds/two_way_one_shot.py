"""Two classes, a picture of each, and a picture to tell: two-way one-shot classification."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from headwise.benchmarks.kinds.image_classes import IMAGE, LABEL, class_name
from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.choice import is_right
from headwise.benchmarks.scoring.matching import Scored, overall, replies
from headwise.content import Image
from headwise.errors import InputError
from headwise.evaluation.items import Header, Item, Measure, Output, QuestionItem
from headwise.examples import Example


@dataclass(frozen=True)
class TwoWayOneShot:
    """A benchmark of two-way one-shot episodes, as Multimodal Task Vectors uses it.

    Args:
        header: What it is.
        thing: What the pictures show, such as `"flower"`.
        seed: Which other class and which pictures an episode shows follow from it and the row.
    """

    header: Header
    thing: str
    seed: int = 0

    def with_seed(self, seed: int) -> TwoWayOneShot:
        """The same benchmark with other episodes."""
        return replace(self, seed=seed)

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Episodes, one a picture.

        Args:
            rows: Pictures with a class each (`image`, `label`), of which episodes are drawn; or
                episodes that are drawn already (`pos`, `neg`, `query`, `pos_label`, `neg_label`),
                of which only the order of the options is drawn.

        Returns:
            Questions with three pictures: an example of A, one of B, and the one to tell. A picture
            whose class has no other picture is no query.

        Raises:
            InputError: A row cannot be used, there is one class only, or no class has two pictures.
        """
        read = as_rows(rows)
        drawn = read[0].find("query") is not None
        found = self._given(read) if drawn else self._drawn(read)
        names = distinct([item.id for item in found])
        return [replace(item, id=name) for item, name in zip(found, names, strict=True)]

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Accuracy; one half is chance. See `Benchmark.measures`."""
        scored = [Scored(one.item, float(is_right(one))) for one in replies(items, outputs)]
        return [overall("accuracy", scored)]

    def _given(self, rows: Sequence[Row]) -> list[QuestionItem]:
        return [
            self._episode(
                row.optional("id") or str(number),
                (row.image("pos"), row.image("neg"), row.image("query")),
                (class_name(row.text("pos_label")), class_name(row.text("neg_label"))),
            )
            for number, row in enumerate(rows, start=1)
        ]

    def _drawn(self, rows: Sequence[Row]) -> list[QuestionItem]:
        labels = [class_name(row.text(*LABEL)) for row in rows]
        images = [row.image(*IMAGE) for row in rows]
        of_class: dict[str, list[int]] = {}
        for place, label in enumerate(labels):
            of_class.setdefault(label, []).append(place)
        if len(of_class) < 2 or all(len(places) < 2 for places in of_class.values()):
            raise InputError(
                f"{self.header.title} draws two classes and two pictures of one of them; the data "
                f"has {len(of_class)} classes and {len(rows)} pictures. Read more rows, whose "
                "classes are mixed."
            )
        found = []
        for place, label in enumerate(labels):
            others = [other for other in of_class[label] if other != place]
            if not others:
                continue
            chance = random.Random(f"{self.seed}:{place}")  # noqa: S311 - episodes, no secrets
            rival = chance.choice([one for one in of_class if one != label])
            shown = (images[chance.choice(others)], images[chance.choice(of_class[rival])])
            name = rows[place].optional("id", "image_id") or str(place + 1)
            found.append(self._episode(name, (*shown, images[place]), (label, rival)))
        return found

    def _episode(
        self, name: str, images: tuple[Image, Image, Image], labels: tuple[str, str]
    ) -> QuestionItem:
        """An episode; `images` and `labels` begin with those of the right class."""
        right, wrong, query = images
        first = random.Random(f"{self.seed}:{name}:order").random() < 0.5  # noqa: S311
        shown = (right, wrong, query) if first else (wrong, right, query)
        a, b = labels if first else labels[::-1]
        text = (
            f"The first image shows A. {a}. The second image shows B. {b}. "
            f"What is the type of {self.thing} in the third image?"
        )
        answer = "A" if first else "B"
        example = Example(text, answer, {"A": a, "B": b}, images=shown)
        return QuestionItem(name, example, ("A", "B"), (answer,))
