"""WHOOPS!: questions about pictures that defy common sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.matching import Scored, overall, overall_and_parts, replies
from headwise.benchmarks.scoring.vqa_accuracy import normalised
from headwise.evaluation.items import Header, Item, Measure, Output, QuestionItem
from headwise.examples import Example

Equivalence = Callable[[str, str, str], float]
"""How likely a question's answer means what the reference does: `f(question, reference, answer)`,
from 0 to 1; the official one is the classifier BEM."""

HEADER = Header(
    name="whoops",
    title="WHOOPS! (questions)",
    task="answers",
    dataset="nlphuji/whoops",
    split="test",
    licence="cc-by-4.0",
    fields={
        "image_id": "a name",
        "image": "the picture",
        "question_answering_pairs": "a list of [question, answer]",
        "commonsense_category": "the kind of oddity; optional",
    },
    scoring="Exact match with the reference after the normalisation of VQA accuracy. With an "
    "equivalence function given, also its mean (BEM).",
    paper="arXiv:2303.07274",
    images=True,
    notes="The paper scores answers by exact match and by BEM, a classifier that headwise does not "
    "ship: give it as a function, BENCHMARK.with_equivalence(f). How the paper normalises answers "
    "for exact match, and the licence, were not checked.",
)


@dataclass(frozen=True)
class Whoops:
    """WHOOPS!, its part with questions.

    Args:
        header: What it is.
        equivalence: How likely two answers mean the same; None for exact match alone.
    """

    header: Header = HEADER
    equivalence: Equivalence | None = None

    def with_equivalence(self, equivalence: Equivalence) -> Whoops:
        """The same benchmark that also gives the mean of an equivalence function."""
        return replace(self, equivalence=equivalence)

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Questions, several a picture; see `Benchmark.items`."""
        read = as_rows(rows)
        names = distinct([row.optional("image_id") or str(n) for n, row in enumerate(read, 1)])
        found: list[Item] = []
        for name, row in zip(names, read, strict=True):
            images = row.images("image")
            split = row.optional("commonsense_category") or "all"
            for place, (question, answer) in enumerate(_pairs(row), start=1):
                example = Example(question, answer, images=images)
                found.append(
                    QuestionItem(
                        f"{name}-{place}", example, references=(answer,), split=split, group=name
                    )
                )
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Exact match over all and of each kind, and BEM if given; see `Benchmark.measures`."""
        given = replies(items, outputs)
        exact = [
            Scored(
                one.item,
                float(
                    one.output.answer is not None
                    and normalised(one.output.answer) == normalised(one.item.references[0])
                ),
            )
            for one in given
        ]
        found = overall_and_parts("exact_match", exact)
        if self.equivalence is not None:
            alike = [
                Scored(
                    one.item,
                    0.0
                    if one.output.answer is None
                    else self.equivalence(
                        one.item.example.text, one.item.references[0], one.output.answer
                    ),
                )
                for one in given
            ]
            found.insert(1, overall("bem", alike))
        return found


def _pairs(row: Row) -> list[tuple[str, str]]:
    found = []
    for pair in row.sequence("question_answering_pairs"):
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            row.refuse(f"{pair!r} in column 'question_answering_pairs'", "[question, answer]")
        question, answer = row.texts_of(pair, "question_answering_pairs")
        found.append((question, answer))
    return found


BENCHMARK = Whoops()
