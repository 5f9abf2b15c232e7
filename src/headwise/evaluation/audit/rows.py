"""Questions with a right and a wrong answer: what audits are built from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from headwise.content import Image, as_image
from headwise.data import Fact, load_capitals, load_facts
from headwise.errors import InputError
from headwise.examples import Preference
from headwise.readers import RawRow, SourceLike, open_source, read_preferences
from headwise.readers.columns import Wanted
from headwise.scenes import SceneQuestion, SceneSampler, questions, render, wrong_answers

_QUESTION = Wanted("question", ("question", "prompt", "instruction", "query", "input"))
_RIGHT = Wanted(
    "right",
    ("right", "right_answer", "correct", "correct_answer", "best_answer", "answer", "chosen"),
)
_WRONG = Wanted(
    "wrong",
    ("wrong", "wrong_answer", "incorrect", "incorrect_answer", "false_answer", "rejected"),
)
_ENDS = (".", "!", "?", ":", "。", "！", "？", '"', ")")
_DRAWS_PER_SCENE = 40
_SCENES = SceneSampler(least_objects=1, most_objects=3, clutter=0.1, label_probability=0.0)
_USUAL_SCENES = SceneSampler(
    least_objects=1, most_objects=2, shapes=("heart", "star"), clutter=0.1, label_probability=0.0
)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A question with a right and a wrong answer.

    Args:
        id: Its name, unique among the rows.
        question: The question.
        right: A right answer.
        wrong: A wrong answer.
        images: What the question is about.
        usual: Another wrong answer, which says what is usual instead of what the images show.
    """

    id: str
    question: str
    right: str
    wrong: str
    images: tuple[Image, ...] = ()
    usual: str | None = None

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        """What two rows that ask the same have in common, whatever their capitals and blanks."""
        words = " ".join(self.question.casefold().split())
        return words, tuple(image.digest for image in self.images)


@dataclass(frozen=True, slots=True)
class AuditRows:
    """What an audit is built from.

    Args:
        rows: Rows for every bias.
        usual: Rows with a usual answer, for the bias of that name; empty where there are none.
        source: What they are, for the report.
        notes: What a reader of the report should know of them.
    """

    rows: tuple[AuditRow, ...]
    usual: tuple[AuditRow, ...] = ()
    source: str = "facts that ship with headwise"
    notes: tuple[str, ...] = ()


def fact_rows() -> AuditRows:
    """The facts and capitals that ship with headwise, as rows."""
    return AuditRows(tuple(_of_fact(fact) for fact in (*load_facts(), *load_capitals())))


def read_rows(
    source: SourceLike,
    *,
    question: str | None = None,
    right: str | None = None,
    wrong: str | None = None,
    skip_bad: bool = False,
) -> AuditRows:
    """Reads the user's own rows.

    Args:
        source: A file or Hub dataset with a column each for the question, a right and a wrong
            answer, and perhaps one for images; see `headwise.readers.open_source`.
        question: The column of the question; None for the first of the usual names.
        right: The column of the right answer; None for the first of the usual names.
        wrong: The column of the wrong answer; None for the first of the usual names.
        skip_bad: Whether to go on without bad rows.

    Returns:
        The rows, each question once.

    Raises:
        InputError: A column is missing, or a row is bad: empty, no text, or both answers the same.
        MissingExtraError: The format needs a package that is not installed.
    """
    opened = open_source(source)
    raw = [row for row in opened.rows() if isinstance(row, RawRow)]
    columns = list(dict.fromkeys(column for row in raw for column in row.values))
    question_at = _QUESTION.require(opened.name, columns, question)
    right_at = _RIGHT.require(opened.name, columns, right, (question_at,))
    wrong_at = _WRONG.require(opened.name, columns, wrong, (question_at, right_at))
    read = read_preferences(
        opened, prompt=question_at, chosen=right_at, rejected=wrong_at, skip_bad=skip_bad
    )
    rows, n_bad = [], len(read.bad)
    for number, (pair, where) in enumerate(zip(read.items, read.locations, strict=True)):
        try:
            rows.append(_of_pair(pair, where, number))
        except InputError:
            if not skip_bad:
                raise
            n_bad += 1
    kept = _each_question_once(rows)
    notes = list(read.notes)
    if len(kept) < len(rows):
        notes.append(f"{len(rows) - len(kept)} rows repeat an earlier question and were left out.")
    if n_bad:
        notes.append(f"{n_bad} rows could not be used and were left out.")
    return AuditRows(kept, source=opened.name, notes=tuple(notes))


def scene_rows(count: int, usual_count: int, *, seed: int = 0) -> AuditRows:
    """Questions about drawn scenes, as rows with a picture each.

    Args:
        count: How many rows for every bias.
        usual_count: How many rows whose usual answer is wrong, such as a heart that is not red.
        seed: Seed of scenes and questions.

    Returns:
        The rows; one question a scene.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    return AuditRows(
        _scenes(count, _SCENES, _asked, np.random.default_rng([seed, 1]), "scene"),
        _scenes(usual_count, _USUAL_SCENES, _tempting, np.random.default_rng([seed, 2]), "usual"),
        source="scenes that headwise draws",
    )


def _of_fact(fact: Fact) -> AuditRow:
    return AuditRow(fact.id, fact.question, fact.right, fact.wrong)


def _of_pair(pair: Preference, where: str, number: int) -> AuditRow:
    texts = (pair.prompt, pair.chosen, pair.rejected)
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise InputError(
            f"{where}: the question and both answers of an audit must be text, and not empty."
        )
    question, right, wrong = (str(text).strip() for text in texts)
    if right.casefold() == wrong.casefold():
        raise InputError(
            f"{where}: the right and the wrong answer are the same. Give a wrong one that differs."
        )
    return AuditRow(f"row-{number + 1}", question, _closed(right), _closed(wrong), pair.images)


def _closed(answer: str) -> str:
    """An answer that a sentence can follow."""
    return answer if answer.endswith(_ENDS) else f"{answer}."


def _each_question_once(rows: Iterable[AuditRow]) -> tuple[AuditRow, ...]:
    found: dict[object, AuditRow] = {}
    for row in rows:
        found.setdefault(row.key, row)
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class _Answers:
    question: str
    right: str
    wrong: str
    usual: str | None = None


_Ask = Callable[
    [Sequence[SceneQuestion], Sequence[Sequence[str]], np.random.Generator], _Answers | None
]


def _scenes(
    count: int,
    sampler: SceneSampler,
    ask: _Ask,
    rng: np.random.Generator,
    name: str,
) -> tuple[AuditRow, ...]:
    rows: dict[object, AuditRow] = {}
    for _ in range(count * _DRAWS_PER_SCENE):
        if len(rows) == count:
            break
        scene = sampler.draw(rng)
        asked = questions(scene, rng)
        found = ask(asked, [wrong_answers(one, scene, rng) for one in asked], rng)
        if found is not None:
            images = (as_image(render(scene), f"{name}-{len(rows) + 1}"),)
            row = AuditRow(
                f"{name}-{len(rows) + 1}",
                found.question,
                found.right,
                found.wrong,
                images,
                found.usual,
            )
            rows.setdefault(row.key, row)
    return tuple(rows.values())


def _asked(
    asked: Sequence[SceneQuestion], wrong: Sequence[Sequence[str]], rng: np.random.Generator
) -> _Answers | None:
    open_ones = [place for place, one in enumerate(asked) if one.tempting is None]
    if not open_ones:
        return None
    place = open_ones[int(rng.integers(len(open_ones)))]
    question, answer = asked[place], wrong[place][0]
    return _Answers(question.text, question.sentence(), question.sentence(answer))


def _tempting(
    asked: Sequence[SceneQuestion], wrong: Sequence[Sequence[str]], rng: np.random.Generator
) -> _Answers | None:
    """A question whose usual answer is wrong, with another wrong answer to compare it with."""
    for place in rng.permutation(len(asked)):
        question = asked[place]
        others = [answer for answer in wrong[place] if answer != question.tempting]
        if question.tempting is not None and not question.is_yes_no and others:
            return _Answers(
                question.text,
                question.sentence(),
                question.sentence(others[0]),
                question.sentence(question.tempting),
            )
    return None
