"""MMBench: multiple choice, asked in every rotation of the options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from headwise.benchmarks.kinds.choices import multiple_choice
from headwise.benchmarks.reading.row import Row, as_rows
from headwise.benchmarks.scoring.choice import is_right
from headwise.benchmarks.scoring.circular import rotations
from headwise.benchmarks.scoring.matching import Reply, Scored, overall, part_means, replies
from headwise.errors import InputError
from headwise.evaluation.items import Header, Item, Measure, Output, QuestionItem

_COPIES_FROM = 1_000_000

HEADER = Header(
    name="mmbench",
    title="MMBench (English)",
    task="answers",
    dataset="lmms-lab/MMBench_EN",
    split="dev",
    licence="apache-2.0",
    fields={
        "index": "a number; copies with rotated options have a million more each",
        "question": "the question",
        "hint": "what comes before it; optional",
        "A ... D": "the options; two at least",
        "answer": "the letter of the right one",
        "image": "the picture, also as Base64 text (the official TSV)",
        "category": "one of 20 abilities",
        "L2-category": "one of 6 groups of them",
    },
    scoring="Circular: a question counts where it is answered rightly in every rotation of its "
    "options. Over all questions and of each L2-category; beside it the accuracy of the first form "
    "alone.",
    paper="arXiv:2307.06281",
    images=True,
    notes="Where the data has rotated copies these are asked; else each question is rotated here. "
    "The official code has a language model read answers that name no option; here "
    "headwise.prompts.answer_reading does, and one it cannot read is wrong. The licence was not "
    "checked.",
)


@dataclass(frozen=True)
class MMBench:
    """MMBench.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Questions in every rotation of their options, as groups; see `Benchmark.items`."""
        read = as_rows(rows)
        numbers = [_number(row) for row in read]
        if len(set(numbers)) != len(numbers):
            raise InputError("MMBench's rows have an index of their own each; some repeat.")
        has_copies = any(number >= _COPIES_FROM for number in numbers)
        found: list[Item] = []
        for number, row in zip(numbers, read, strict=True):
            found += [_copy(number, row)] if has_copies else _rotated(number, row)
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """Circular accuracy over all and of each category; see `Benchmark.measures`."""
        groups: dict[str, list[Reply]] = {}
        for reply in replies(items, outputs):
            groups.setdefault(reply.item.group or reply.item.id, []).append(reply)
        circular, plain = [], []
        for given in groups.values():
            first = next((one for one in given if one.item.tags.get("rotation") == "0"), None)
            wanted = max(int(one.item.tags.get("of", "1")) for one in given)
            if first is None or len({one.item.id for one in given}) < wanted:
                raise InputError(
                    f"The question {given[0].item.group!r} lacks some of its rotations; a question "
                    "is scored with all of them."
                )
            right = [is_right(one) for one in given]
            circular += [Scored(first.item, float(all(right)))] * _times(given, first)
            plain += [Scored(first.item, float(is_right(first)))] * _times(given, first)
        return [
            overall("circular_accuracy", circular),
            overall("plain_accuracy", plain),
            *part_means("circular_accuracy", circular),
        ]


def _times(given: Sequence[Reply], first: Reply) -> int:
    """How often a question was drawn, as in a bootstrap over questions."""
    return sum(one.item.id == first.item.id for one in given)


def _number(row: Row) -> int:
    text = row.text("index")
    if not text.isdigit():
        row.refuse(f"the index {text!r}", "a number")
    return int(text)


def _options(row: Row) -> list[str]:
    found = []
    for letter in ascii_uppercase[:5]:
        option = row.optional(letter)
        if option is None:
            break
        found.append(option)
    if len(found) < 2:
        row.refuse(f"{len(found)} options", "two at least, in columns A, B and so on")
    return found


def _asked(row: Row) -> tuple[str, list[str], int]:
    """The question with its hint, its options, and which one is right."""
    options = _options(row)
    answer = row.text("answer").strip().upper()
    if len(answer) != 1 or answer not in ascii_uppercase[: len(options)]:
        row.refuse(
            f"the answer {answer!r} of {len(options)} options",
            "the letter of one (the test split hides them; use dev)",
        )
    hint = row.optional("hint")
    text = row.text("question")
    return f"{hint}\n{text}" if hint else text, options, ascii_uppercase.index(answer)


def _item(
    name: str, row: Row, asked: tuple[str, Sequence[str], int], tags: dict[str, str]
) -> QuestionItem:
    text, options, answer = asked
    split = row.optional("L2-category", "category") or "all"
    images = row.images("image")
    group = name.partition("-r")[0]
    return multiple_choice(name, text, options, answer, images, split=split, group=group, tags=tags)


def _copy(number: int, row: Row) -> QuestionItem:
    by, main = divmod(number, _COPIES_FROM)
    return _item(f"{main}-r{by}", row, _asked(row), {"rotation": str(by)})


def _rotated(number: int, row: Row) -> Iterator[QuestionItem]:
    text, options, answer = _asked(row)
    for turn in rotations(options, answer):
        tags = {"rotation": str(turn.by), "of": str(len(options))}
        yield _item(f"{number}-r{turn.by}", row, (text, turn.options, turn.answer), tags)


BENCHMARK = MMBench()
